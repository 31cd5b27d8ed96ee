/**
 * Which virtio-serial device the module takes: the one whose port has its name. Another one that
 * looks like it, in use as a guest agent's port, keeps working through all of it.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, type Guest, troubleIn } from 'qemu-tmem';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tmem-serial-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A port of a device with room for two, plugged in; what is written to `port` the guest reads. */
class OtherPort {
  readonly #server: Server;
  readonly port: Socket;

  private constructor(server: Server, port: Socket) {
    this.#server = server;
    this.port = port;
  }

  static async plug(guest: Guest, folder: string, id: string, name: string): Promise<OtherPort> {
    const path = join(folder, id);
    const server = createServer().listen(path);
    const connected = once(server, 'connection');
    const addr = { type: 'unix', data: { path } } as const;
    await guest.qmp.execute('chardev-add', {
      id,
      backend: { type: 'socket', data: { addr, server: false } },
    });
    const [port] = (await connected) as [Socket];
    const controller = `${id}-serial`;
    const device = { driver: 'virtio-serial-pci', id: controller, max_ports: 2 };
    await guest.qmp.execute('device_add', device);
    const serialport = { driver: 'virtserialport', bus: `${controller}.0`, nr: 1 };
    await guest.qmp.execute('device_add', { ...serialport, id: `${id}-port`, chardev: id, name });
    return new OtherPort(server, port);
  }

  [Symbol.dispose](): void {
    this.port.destroy();
    this.#server.close();
  }
}

/** The guest's file for the port of that name, once it is there. */
async function deviceOf(guest: Guest, name: string): Promise<string> {
  const look = `grep -lx '${name}' /sys/class/virtio-ports/*/name 2>/dev/null`;
  await expect.poll(async () => (await guest.exec(look)).code, { timeout: 30_000 }).toBe(0);
  const path = await guest.sh(look);
  return `/dev/${path.split('/').at(-2)}`;
}

const driverOf = (port: string): string =>
  `basename $(readlink -f /sys/class/virtio-ports/${port.slice(5)}/device/driver)`;

it('leaves a device of another name alone, and gives one of its name back', async () => {
  await using guest = await bootGuest({ memoryMib: 128, accel: 'tcg', swap: 'none' });
  using agent = await OtherPort.plug(guest, folder, 'other', 'org.qemu.guest_agent.0');
  const agentPort = await deviceOf(guest, 'org.qemu.guest_agent.0');
  const agentReads = guest.spawn(`cat ${agentPort} > /tmp/heard`);
  agent.port.write('before\n');
  await expect.poll(() => guest.sh('cat /tmp/heard'), { timeout: 30_000 }).toBe('before\n');

  const load = 'insmod /lib/tmem/tmem.ko front_end=none transport=virtio-serial';
  expect((await guest.exec(load)).code).not.toBe(0);
  expect(await guest.dmesg()).toContain('no tmem host found (transport=virtio-serial)');
  agent.port.write('after\n');
  await expect.poll(() => guest.sh('cat /tmp/heard'), { timeout: 30_000 }).toBe('before\nafter\n');

  // The second of the two is ours, and nobody at its other end speaks: it is taken and given back.
  using mute = await OtherPort.plug(guest, folder, 'mute', 'org.qemu-tmem.pages.0');
  const mutePort = await deviceOf(guest, 'org.qemu-tmem.pages.0');
  expect((await guest.exec(load)).code).not.toBe(0);
  expect(await guest.dmesg()).toContain('the tmem host did not answer');
  expect(await guest.sh(driverOf(await deviceOf(guest, 'org.qemu-tmem.pages.0')))).toBe(
    'virtio_console\n',
  );
  await guest.sh(`echo speaks > ${mutePort}`);
  let said = '';
  mute.port.on('data', (bytes: Buffer) => {
    said += bytes.toString('latin1');
  });
  await expect.poll(() => said, { timeout: 30_000 }).toContain('speaks\n');

  agent.port.write('in the end\n');
  const all = 'before\nafter\nin the end\n';
  await expect.poll(() => guest.sh('cat /tmp/heard'), { timeout: 30_000 }).toBe(all);
  agentReads.kill(9);
  const log = (await guest.dmesg()).replaceAll(/.*no tmem host found.*\n/g, '');
  expect(troubleIn(log)).toEqual([]);
});

it('gives its own device back when it is unloaded, and takes it again', async () => {
  const store = { transport: 'virtio-serial' } as const;
  await using guest = await bootGuest({ memoryMib: 128, accel: 'tcg', swap: 'none', store });
  for (let life = 1; life <= 2; life += 1) {
    const port = await deviceOf(guest, 'org.qemu-tmem.pages.0');
    expect(await guest.sh(driverOf(port))).toBe('virtio_console\n');
    await guest.sh('insmod /lib/tmem/tmem.ko front_end=none');
    expect((await guest.exec(`ls ${port}`)).code).not.toBe(0);
    await guest.sh('rmmod tmem');
  }
  await deviceOf(guest, 'org.qemu-tmem.pages.0');
  expect(troubleIn(await guest.dmesg())).toEqual([]);
});
