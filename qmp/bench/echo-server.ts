// A server that costs almost nothing, in a process of its own: with it the race is between clients,
// not between QEMU and QEMU. It greets like QEMU and answers every line at once.

import * as net from 'node:net';

const RUNNING = '{"status": "prelaunch", "singlestep": false, "running": false}';
const VERSION = '{"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}';

const server = net.createServer((socket) => {
  socket.write(`{"QMP": {"version": ${VERSION}, "capabilities": ["oob"]}}\r\n`);
  let rest = '';
  socket.on('data', (chunk) => {
    // Some clients end their lines, one does not: an object of theirs ends before the next begins.
    const lines = (rest + chunk).replaceAll('}{', '}\n{').split('\n');
    const last = lines.at(-1)!;
    rest = last.endsWith('}') ? '' : lines.pop()!;
    let text = '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      const id = /"id":([0-9]+)/.exec(line)?.[1];
      const suffix = id === undefined ? '' : `, "id": ${id}`;
      text += `{"return": ${RUNNING}${suffix}}\r\n`;
    }
    socket.write(text);
  });
  socket.on('error', () => {});
});
server.listen(process.argv[2], () => process.send?.('listening'));
process.on('disconnect', () => process.exit());
