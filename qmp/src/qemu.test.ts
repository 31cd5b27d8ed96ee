// The client against a real QEMU without a guest (-S): what no fake can prove.

import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { QmpClient } from './client.js';
import { Machine } from './machine/machine.js';
import type { MachineSpec } from './machine/spec.js';

// Real processes on a busy machine: the limit is against hanging, not a measure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'qmp-qemu-'));
});
afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

function launch(more: Partial<MachineSpec> = {}): Promise<Machine> {
  return Machine.launch({
    logDir: folder,
    machine: 'none',
    accel: 'tcg',
    defaults: false,
    userConfig: false,
    paused: true,
    ...more,
  });
}

/** One line to QEMU's test device and its answer (docs/devel/qtest.rst). */
async function qtest(socketPath: string, line: string): Promise<string> {
  const socket = net.connect(socketPath);
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('data', (chunk) => resolve(chunk.toString()));
      socket.write(`${line}\n`);
    });
  } finally {
    socket.destroy();
  }
}

describe('commands', () => {
  it('understands a monitor that prints prettily, the schema of 200 kB included', async () => {
    const pretty = path.join(folder, 'pretty.sock');
    const args = ['-qmp-pretty', `unix:${pretty},server=on,wait=off`];
    await using machine = await launch({ args });
    await using client = await QmpClient.connect({ path: pretty }, { bigints: true });
    using events = client.listen('RESUME');
    expect(await client.execute('query-status')).toMatchObject({ status: 'prelaunch' });
    const schema = await machine.qmp.execute('query-qmp-schema');
    expect(await client.execute('query-qmp-schema')).toEqual(schema);
    const names = await Promise.all([client.execute('query-name'), client.execute('query-kvm')]);
    expect(names).toEqual([{}, expect.objectContaining({ enabled: false })]);
    await client.execute('cont');
    expect(await events.next()).toMatchObject({ event: 'RESUME' });
    await expect(client.executeUntyped('no-such')).rejects.toMatchObject({
      errorClass: 'CommandNotFound',
    });
  });

  it.each([
    { oob: true, count: 10_000 },
    { oob: false, count: 2_000 },
  ])(
    'loses and crosses none of $count at once (oob: $oob)',
    async ({ oob, count }) => {
      const monitorPath = path.join(folder, 'second.sock');
      await using _machine = await launch({ monitorPath });
      const commandTimeoutMs = 60_000;
      await using client = await QmpClient.connect(
        { path: monitorPath },
        { oob, commandTimeoutMs },
      );
      const calls = Array.from({ length: count }, async (_, index) => {
        const wanted = `/no/${index}`;
        const error = await client.execute('qom-list', { path: wanted }).then(
          () => undefined,
          (reason) => reason as { errorClass: string; description: string },
        );
        // The error names what was asked for, so a crossed reply shows.
        return error?.errorClass === 'DeviceNotFound' && error.description.includes(`'${wanted}'`);
      });
      const right = (await Promise.all(calls)).filter((fits) => fits);
      expect(right.length).toBe(count);
      expect(client.strayReplies).toBe(0);
    },
    90_000,
  );

  it('talks over TCP, and tells a second client that the monitor is taken', async () => {
    const probe = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as net.AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const address = { host: '127.0.0.1', port };
    const qmp = `tcp:127.0.0.1:${port},server=on,wait=off`;
    await using _machine = await launch({ args: [['qmp', qmp]] });
    await using client = await QmpClient.connect(address);
    expect(await client.execute('query-status')).toMatchObject({ status: 'prelaunch' });
    const second = QmpClient.connect(address, { timeoutMs: 300 });
    await expect(second).rejects.toMatchObject({ code: 'QMP_GREETING' });
  });

  it('answers out of band while an in-band command is blocked', async () => {
    await using machine = await launch();
    const { qmp } = machine;
    const fifo = path.join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const order: string[] = [];
    // blkdebug reads its configuration on the main loop: a pipe without end blocks that loop.
    const image = { driver: 'null-co' } as const;
    const args = { driver: 'blkdebug', 'node-name': 'b0', image, config: fifo } as const;
    const blocked = qmp.execute('blockdev-add', args).then(() => order.push('blockdev-add'));
    // Opening for writing ends when QEMU has opened for reading: from here on it is blocked.
    const writer = await fs.promises.open(fifo, 'w');
    const behind = qmp.execute('query-status').then(() => order.push('query-status'));
    await qmp.executeOob('query-yank').then(() => order.push('query-yank'));
    expect(order).toEqual(['query-yank']);
    await writer.close();
    await Promise.all([blocked, behind]);
    expect(order).toEqual(['query-yank', 'blockdev-add', 'query-status']);
  });
});

describe('events', () => {
  it('sees a migration from setup to completed, with the guest stopped', async () => {
    const socketPath = path.join(folder, 'migrate.sock');
    const target = path.join(folder, 'target');
    const args = [['incoming', `unix:${socketPath}`]] as const;
    await using to = await launch({ logDir: target, paused: false, args });
    await using from = await launch();
    const capabilities = [{ capability: 'events', state: true }] as const;
    await from.qmp.execute('migrate-set-capabilities', { capabilities });
    await from.cont();
    using migration = from.qmp.listen('MIGRATION');
    using stopped = from.qmp.listen('STOP');
    using resumed = to.qmp.listen('RESUME');
    await from.qmp.execute('migrate', { uri: `unix:${socketPath}` });
    const statuses: string[] = [];
    for await (const { data } of migration) {
      statuses.push(data.status);
      if (data.status === 'completed' || data.status === 'failed') break;
    }
    expect(statuses[0]).toBe('setup');
    expect(statuses).toContain('active');
    expect(statuses.at(-1)).toBe('completed');
    await stopped.next();
    await resumed.next();
    expect(await to.qmp.execute('query-status')).toMatchObject({ running: true });
  });

  it('waits for DEVICE_DELETED of the device it unplugged, and no other', async () => {
    const qtestPath = path.join(folder, 'qtest.sock');
    await using machine = await launch({
      machine: 'pc',
      devices: [{ driver: 'qemu-xhci', id: 'usb' }],
      args: [['qtest', `unix:${qtestPath},server=on,wait=off`]],
    });
    const { qmp } = machine;
    await qmp.execute('device_add', { driver: 'virtio-rng-pci', id: 'rng0', addr: '0x5' });
    await qmp.execute('device_add', { driver: 'usb-tablet', id: 'tablet0', bus: 'usb.0' });
    using gone = qmp.listen('DEVICE_DELETED', ({ data }) => data.device === 'rng0');
    using tabletGone = qmp.listen('DEVICE_DELETED', ({ data }) => data.device === 'tablet0');
    await qmp.execute('device_del', { id: 'rng0' });
    // No guest is there to let go of a PCI device; a USB one goes at once.
    await qmp.execute('device_del', { id: 'tablet0' });
    await tabletGone.next();
    expect(gone.waiting).toBe(0);
    // What the guest's ACPI code would do: write the slot's bit to the eject register
    // (docs/specs/acpi_pci_hotplug.txt).
    expect(await qtest(qtestPath, 'outl 0xae08 0x20')).toMatch(/OK/);
    const { data } = await gone.next();
    expect(data).toMatchObject({ device: 'rng0', path: '/machine/peripheral/rng0' });
    await expect(qmp.execute('device_del', { id: 'rng0' })).rejects.toMatchObject({
      errorClass: 'DeviceNotFound',
    });
  });
});

describe('descriptors', () => {
  it('sends one for getfd: QEMU migrates into our file', async () => {
    await using machine = await launch();
    const file = path.join(folder, 'state');
    const fd = fs.openSync(file, 'w');
    try {
      await machine.qmp.execute('getfd', { fdname: 'state' }, { fds: [fd] });
    } finally {
      fs.closeSync(fd);
    }
    const capabilities = [{ capability: 'events', state: true }] as const;
    await machine.qmp.execute('migrate-set-capabilities', { capabilities });
    using done = machine.qmp.listen('MIGRATION', ({ data }) => data.status === 'completed');
    await machine.qmp.execute('migrate', { uri: 'fd:state' });
    await done.next();
    // Every migration stream begins with this word (QEMU_VM_FILE_MAGIC, migration/savevm.c).
    expect(fs.readFileSync(file).subarray(0, 4).toString()).toBe('QEVM');
  });

  it('keeps back the next descriptor until QEMU has taken the last', async () => {
    await using machine = await launch();
    const { qmp } = machine;
    const fifo = path.join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const image = { driver: 'null-co' } as const;
    const args = { driver: 'blkdebug', 'node-name': 'b0', image, config: fifo } as const;
    const blocked = qmp.execute('blockdev-add', args);
    const writer = await fs.promises.open(fifo, 'w');
    // QEMU reads on while its main loop is blocked: a second descriptor would push out the first.
    const fds = ['a', 'bb', 'ccc'].map((text) => {
      fs.writeFileSync(path.join(folder, text), text.padEnd(512 * text.length));
      return fs.openSync(path.join(folder, text), 'r');
    });
    const added = fds.map((fd, index) =>
      qmp.execute('add-fd', { 'fdset-id': index }, { fds: [fd] }),
    );
    // Several round trips of the reading side, for whatever was sent to be read.
    for (let count = 0; count < 5; count += 1) await qmp.executeOob('query-yank');
    await writer.close();
    await blocked;
    await Promise.all(added);
    for (const fd of fds) fs.closeSync(fd);
    for (const [index] of fds.entries()) {
      const node = { 'node-name': `n${index}`, filename: `/dev/fdset/${index}` };
      await qmp.execute('blockdev-add', { driver: 'file', 'read-only': true, ...node });
    }
    const nodes = await qmp.execute('query-named-block-nodes');
    const sizes = nodes
      .filter((node) => node['node-name']?.startsWith('n'))
      .map((node) => node.image);
    expect(sizes.map((one) => one['virtual-size']).sort()).toEqual([1024, 1536, 512]);
  });

  it('crosses no descriptors of commands at once, in either kind of connection', async () => {
    const monitorPath = path.join(folder, 'second.sock');
    await using machine = await launch({ monitorPath });
    await using plain = await QmpClient.connect({ path: monitorPath }, { oob: false });
    for (const [part, qmp] of [machine.qmp, plain].entries()) {
      const numbers = Array.from({ length: 12 }, (_, index) => part * 100 + index);
      const fds = numbers.map((number) => {
        const file = path.join(folder, `disk${number}`);
        fs.writeFileSync(file, Buffer.alloc(512 * (number + 1)));
        return fs.openSync(file, 'r');
      });
      const added = numbers.map(async (number, index) => {
        const one = { fds: [fds[index]!] };
        // Other commands in between must not take or lose a descriptor.
        const other = qmp.execute('query-status');
        const answer = await qmp.execute('add-fd', { 'fdset-id': number }, one);
        await other;
        expect(answer['fdset-id']).toBe(number);
        const node = { 'node-name': `n${number}`, filename: `/dev/fdset/${number}` };
        await qmp.execute('blockdev-add', { driver: 'file', 'read-only': true, ...node });
      });
      await Promise.all(added);
      for (const fd of fds) fs.closeSync(fd);
      const nodes = await qmp.execute('query-named-block-nodes');
      const sizes = new Map(nodes.map((node) => [node['node-name'], node.image['virtual-size']]));
      for (const number of numbers) expect(sizes.get(`n${number}`)).toBe(512 * (number + 1));
    }
  });
});
