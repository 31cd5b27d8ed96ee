// Sending file descriptors along with a command (SCM_RIGHTS). Node has no way to do it, so this
// needs the optional peer koffi; everything else of the package works without. What always holds:
// the descriptors stay the caller's (the kernel duplicates them), and the bytes of the stream keep
// their order: nothing is sent around what Node still holds back.

import type * as net from 'node:net';
import { QmpFdError } from './errors.js';

/** Send a line with descriptors; `done` is called once, with an error when nothing was sent. */
export function sendFds(
  _socket: net.Socket,
  _line: string,
  _fds: readonly number[],
  done: (error?: QmpFdError) => void,
): void {
  done(new QmpFdError('Descriptors cannot be sent along yet'));
}
