/** Test doubles for those who build on this: `import { FakeGuest } from 'qemu-tmem/testing'`. */
export {
  FakeGuest,
  type FakeGuestOptions,
  type GetResult,
  type GuestReply,
  type RawDescriptor,
} from './fake-guest.js';
export { FakeGuestError, type FakeGuestErrorCode } from './guest-error.js';
export { type GuestHeader, type HeaderField, headerOffset, readHeader } from './guest-header.js';
export { IvshmemClient, IvshmemClientError } from './ivshmem-client.js';
export { LinkClient } from './link-client.js';
export { LinkGuest, type LinkGuestOptions } from './link-guest.js';
export {
  createLinkLoopback,
  type Direction,
  type LinkLoopback,
  type LinkLoopbackOptions,
} from './link-loopback.js';
export { createLoopback, type Loopback, type LoopbackOptions } from './loopback.js';
export { spoilEventFd } from './spoilt-eventfd.js';
export { connectUnix, UnixSocketError } from './unix-socket.js';
