/** What is known of a guest whose command does not end. */
import { bootGuest } from 'qemu-tmem';
import { describe, expect, it } from 'vitest';
import { execWatched } from './watched.js';

describe('a command that does not end', () => {
  it('is killed, and the error says what it said last and where the guest is', async () => {
    await using guest = await bootGuest({ swap: 'tmem', accel: 'tcg' });
    const running = execWatched(guest, 'echo still here >&2; exec sleep 1000', { timeoutMs: 500 });
    const error = await running.then(
      () => undefined,
      (reason: { code: string; message: string }) => reason,
    );
    expect(error?.code).toBe('TIMEOUT');
    expect(error?.message).toContain('its last words: still here');
    expect(error?.message).toContain('sysrq: Show Blocked State');
    expect(error?.message).toMatch(/\(sleep\) S\n.*nanosleep/);
    expect(error?.message.match(/^puts \d+$/gm)).toHaveLength(2);
    expect((await guest.exec('pidof sleep')).code).toBe(1);
  });
});
