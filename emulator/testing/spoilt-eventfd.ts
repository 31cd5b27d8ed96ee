/**
 * What whoever was given an eventfd can do to the one who rings it: its flags and its counter are
 * shared. Linux on x86-64 only, as `native/` is.
 */
import koffi from 'koffi';

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
/** The most that an eventfd's counter holds: a write of one more waits (eventfd(2)). */
const COUNT_MAX = 2n ** 64n - 2n;

const libc = koffi.load('libc.so.6');
const call = {
  fcntl: libc.func('int fcntl(int fd, int command, int argument)'),
  read: libc.func('intptr_t read(int fd, uint8_t *buffer, size_t count)'),
  write: libc.func('intptr_t write(int fd, const uint8_t *buffer, size_t count)'),
};

/** From now on a write to it waits for whoever reads it. */
export function spoilEventFd(fd: number): void {
  const flags = call.fcntl(fd, F_GETFL, 0) as number;
  call.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  const count = new Uint8Array(new ArrayBuffer(8));
  call.read(fd, count, 8);
  new BigUint64Array(count.buffer)[0] = COUNT_MAX;
  call.write(fd, count, 8);
  call.fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}
