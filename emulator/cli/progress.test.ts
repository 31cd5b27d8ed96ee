/**
 * Lines for a person, whether one reads them or not.
 */
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgressLines } from './progress.js';

/** Keeps what it is given until somebody reads it. */
class Pipe extends Writable {
  text = '';
  #taken: (() => void)[] = [];
  reading: boolean;

  constructor(reading: boolean) {
    super();
    this.reading = reading;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    if (this.reading) done();
    else this.#taken.push(done);
  }

  read(): void {
    this.reading = true;
    for (const done of this.#taken.splice(0)) done();
  }
}

it('says each line with the time', () => {
  const pipe = new Pipe(true);
  const lines = new ProgressLines(pipe);
  lines.say('one');
  lines.say('two');
  expect(pipe.text).toMatch(/^\[ +0\.0 s\] one\n\[ +0\.0 s\] two\n$/);
});

it('holds few of the lines that nobody reads, and then says how many are missing', async () => {
  const pipe = new Pipe(false);
  const lines = new ProgressLines(pipe);
  const line = 'x'.repeat(100);
  for (let count = 0; count < 100_000; count += 1) lines.say(line);
  expect(pipe.writableLength).toBeLessThan(70_000);
  pipe.read();
  await new Promise((resolve) => setImmediate(resolve));
  lines.say('again');
  const said = pipe.text.split('\n').filter((text) => text.endsWith(line)).length;
  expect(pipe.text).toContain(`\n(${100_000 - said} lines were left out)\n`);
  expect(pipe.text).toMatch(/ s\] again\n$/);
});

describe('a step that may be short', () => {
  beforeEach(
    () => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }),
  );
  afterEach(() => void vi.useRealTimers());

  it('is told once it is not, and again when it goes on', () => {
    const pipe = new Pipe(true);
    const lines = new ProgressLines(pipe);
    lines.slow('quick');
    vi.advanceTimersByTime(1400);
    lines.slow('booting', 10_000);
    vi.advanceTimersByTime(11_000);
    lines.slow('building');
    vi.advanceTimersByTime(1400);
    expect(pipe.text).toBe('');
    vi.advanceTimersByTime(100);
    expect(pipe.text).toMatch(/^\[ +13\.9 s\] building\n$/);
    vi.advanceTimersByTime(30_000);
    expect(pipe.text).toMatch(/building\n\[ +43\.9 s\] still building \(32 s\)\n$/);
    lines.close();
    vi.advanceTimersByTime(100_000);
    expect(pipe.text.split('\n')).toHaveLength(3);
  });

  it('counts its seconds on a terminal, and leaves nothing there', () => {
    const pipe = new Pipe(true);
    const lines = new ProgressLines(Object.assign(pipe, { isTTY: true }));
    lines.slow('building');
    vi.advanceTimersByTime(4500);
    expect(pipe.text).toMatch(/\(2 s\).*\(3 s\).*\(4 s\).*\(5 s\)$/s);
    expect(pipe.text).not.toContain('\n');
    lines.close();
    expect(pipe.text.endsWith('\r\u001b[2K')).toBe(true);
  });
});
