// Checked by the compiler alone, never run: what the generated types allow and refuse. A line that
// should be refused and is not fails the build, because its @ts-expect-error is then unused.

import type { QmpClient } from '../client.js';
import type { Qemu72Schema } from '../generated/qemu-7.2.js';
import type { CommandName, EventName, OobCommandName } from './types.js';

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

export async function commands(qmp: QmpClient): Promise<void> {
  const status = await qmp.execute('query-status');
  same<typeof status.running, boolean>(true);
  if (status.status === 'prelaunch') return;
  // @ts-expect-error: no such run state
  if (status.status === 'nonsense') return;
  // @ts-expect-error: no such command
  await qmp.execute('query-statos');
  // @ts-expect-error: arguments are needed
  await qmp.execute('device_del');
  // @ts-expect-error: no such argument
  await qmp.execute('device_del', { name: 'x' });
  // @ts-expect-error: of the wrong type
  await qmp.execute('device_del', { id: 1 });
  await qmp.execute('device_del', { id: 'x' }, { timeoutMs: 1 });
  // The properties of a device are its own.
  await qmp.execute('device_add', { driver: 'nvme', serial: 'abc', max_ioqpairs: 3 });
  // A union is told apart by its tag.
  await qmp.execute('blockdev-add', { driver: 'null-co', size: 4096 });
  // @ts-expect-error: a file needs its name
  await qmp.execute('blockdev-add', { driver: 'file' });
  await qmp.execute('blockdev-add', { driver: 'qcow2', file: { driver: 'null-co' } });
  const untyped = await qmp.executeUntyped('x-from-the-future', { any: 1 });
  same<typeof untyped, unknown>(true);
}

export async function outOfBand(qmp: QmpClient): Promise<void> {
  await qmp.executeOob('query-yank');
  // @ts-expect-error: cannot run out of band
  await qmp.executeOob('query-status');
  const names: OobCommandName<Qemu72Schema>[] = ['migrate-pause', 'migrate-recover', 'yank'];
  void names;
}

export async function events(qmp: QmpClient): Promise<void> {
  using one = qmp.listen('DEVICE_DELETED', (event) => event.data.path !== '');
  const { data } = await one.next();
  same<typeof data.device, string | undefined>(true);
  using two = qmp.listen(['STOP', 'SHUTDOWN']);
  const event = await two.next();
  same<typeof event.event, 'STOP' | 'SHUTDOWN'>(true);
  if (event.event === 'SHUTDOWN') same<typeof event.data.guest, boolean>(true);
  // @ts-expect-error: no such event
  using three = qmp.listen('DEVICE_DELETE');
  void three;
}

/** A schema of one's own. */
interface OwnSchema {
  commands: { ping: { arguments: { n: number }; result: number; oob: false } };
  events: { PONG: { n: number } };
}
export async function own(qmp: QmpClient<OwnSchema>): Promise<void> {
  same<CommandName<OwnSchema>, 'ping'>(true);
  same<EventName<OwnSchema>, 'PONG'>(true);
  const n = await qmp.execute('ping', { n: 1 });
  same<typeof n, number>(true);
  // @ts-expect-error: of another schema
  await qmp.execute('query-status');
}
