/**
 * A socket whose bytes are read elsewhere: whoever holds the client's descriptor finds all of them.
 * QEMU's way in over ivshmem is in ivshmem-server.test.ts.
 */
import { existsSync, lstatSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { closeFd, receiveBytes, sendBytes } from '../native/libc.js';
import { connectUnix } from '../testing/index.js';
import { SocketServer } from './socket-server.js';

it('leaves the bytes of a client to whoever reads its descriptor', async () => {
  await using lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-socket-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'socket');
  let served = -1;
  const greet = (fd: number): void => {
    served = fd;
  };
  lifetime.use(await SocketServer.listen({ socketPath, greet, readElsewhere: async () => {} }));
  const client = lifetime.adopt(connectUnix(socketPath), closeFd);
  await expect.poll(() => served).not.toBe(-1);
  const sent = new Uint8Array(5000).map((_, at) => at);
  expect(sendBytes(client, sent)).toBe(sent.length);
  // Time enough for the event loop to take them if it listened.
  await delay(100);
  const into = new Uint8Array(new ArrayBuffer(8192));
  expect(receiveBytes(served, into)).toBe(sent.length);
  expect(into.subarray(0, sent.length)).toEqual(sent);
});

it('has only some clients wait for the last one to be gone, and turns the others away', async () => {
  await using lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-socket-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'socket');
  const refused: string[] = [];
  let isGone = (): void => {};
  const gone = new Promise<void>((resolve) => {
    isGone = resolve;
  });
  const greeted: number[] = [];
  const options = {
    socketPath,
    greet: (_fd: number, client: number) => greeted.push(client),
    onRefused: (reason: string) => refused.push(reason),
    readElsewhere: () => gone,
  };
  lifetime.use(await SocketServer.listen(options));
  for (let client = 0; client < 50; client += 1) lifetime.adopt(connectUnix(socketPath), closeFd);
  await expect.poll(() => refused.length).toBe(50 - 1 - 16);
  expect(new Set(refused)).toEqual(new Set(['too many wait for the last one to be gone']));
  expect(greeted).toEqual([1]);
  isGone();
  await expect.poll(() => refused.length).toBe(50 - 1);
  expect(refused.at(-1)).toBe('another QEMU is connected; one guest a socket');
});

it.each([0, 0o022, 0o077])(
  'lets only its user connect, whatever the umask is (%o)',
  async (umask) => {
    await using lifetime = new Lifetime();
    const folder = mkdtempSync(join(tmpdir(), 'tmem-socket-'));
    lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
    const socketPath = join(folder, 'socket');
    const before = process.umask(umask);
    lifetime.defer(() => process.umask(before));
    const server = await SocketServer.listen({ socketPath, greet: () => {} });
    expect(lstatSync(socketPath).mode & 0o777).toBe(0o600);
    await server[Symbol.asyncDispose]();
    expect(existsSync(socketPath)).toBe(false);
  },
);

it('leaves what others have put in its place, and does not take theirs', async () => {
  await using lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-socket-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'socket');
  writeFileSync(socketPath, 'mine');
  const inUse = { code: 'SOCKET_IN_USE' };
  const options = { socketPath, greet: () => {} };
  await expect(SocketServer.listen(options)).rejects.toMatchObject(inUse);
  unlinkSync(socketPath);
  const server = await SocketServer.listen(options);
  unlinkSync(socketPath);
  writeFileSync(socketPath, 'mine');
  await server[Symbol.asyncDispose]();
  expect(existsSync(socketPath)).toBe(true);
  const unusable = { code: 'SOCKET_UNUSABLE', message: expect.stringContaining('ENOENT') };
  const nowhere = { socketPath: join(folder, 'none', 'socket'), greet: () => {} };
  await expect(SocketServer.listen(nowhere)).rejects.toMatchObject(unusable);
});
