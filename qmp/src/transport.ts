// Opening the connection. Three ways: a UNIX socket's path, a TCP address, or a socket that is open
// already (a socket pair whose other end QEMU inherited). What always holds: a socket opened here
// is destroyed when opening fails; one handed in belongs to the client from then on.

import * as net from 'node:net';
import { QmpArgumentError, QmpConnectError, QmpError } from './errors.js';
import { bounded } from './waiting.js';

export type QmpAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number }
  | { readonly socket: net.Socket };

/** For messages: `unix:/run/q.sock`, `tcp:localhost:4444`, `an open socket`. */
export function describeAddress(address: QmpAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  if ('host' in address) return `tcp:${address.host}:${address.port}`;
  return 'an open socket';
}

/**
 * Read what a user types: a path, `unix:PATH`, `HOST:PORT` or `tcp:HOST:PORT`.
 * @throws QmpArgumentError when the port is no number from 1 to 65535
 */
export function parseAddress(text: string): QmpAddress {
  if (text.startsWith('unix:')) return { path: text.slice('unix:'.length) };
  const bare = text.startsWith('tcp:') ? text.slice('tcp:'.length) : text;
  const match = /^(\[[0-9a-fA-F:]+\]|[^/:]*):([0-9]+)$/.exec(bare);
  if (!match) {
    if (bare !== text || text === '') {
      throw new QmpArgumentError(`"${text}" is no address: give a path, HOST:PORT or unix:PATH`);
    }
    return { path: text };
  }
  const port = Number(match[2]);
  if (port < 1 || port > 65_535) throw new QmpArgumentError(`${port} is no TCP port`);
  const host = match[1]!.replace(/^\[|\]$/g, '');
  return { host: host === '' ? 'localhost' : host, port };
}

/** @throws QmpConnectError; QmpTimeLimitError and QmpAbortedError come as its `cause` */
export async function openSocket(
  address: QmpAddress,
  limits: { timeoutMs: number; signal: AbortSignal | undefined },
): Promise<net.Socket> {
  if ('socket' in address) {
    if (address.socket.destroyed) throw new QmpConnectError('The socket handed in is closed');
    return address.socket;
  }
  const socket = net.connect({ ...address });
  const where = describeAddress(address);
  try {
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    await bounded(connected, `connecting to ${where}`, limits);
  } catch (cause) {
    // The error handler is needed once more: destroying a socket under way may still report one.
    socket.on('error', () => {});
    socket.destroy();
    if (cause instanceof QmpError && cause.code === 'QMP_ABORTED') throw cause;
    const text = cause instanceof Error ? cause.message : String(cause);
    const hint = 'Is QEMU running with -qmp on this address?';
    throw new QmpConnectError(`Cannot connect to ${where}: ${text}. ${hint}`, cause);
  }
  socket.removeAllListeners('error');
  if ('host' in address) socket.setNoDelay(true);
  return socket;
}
