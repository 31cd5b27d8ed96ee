/**
 * Lines for a person, whether one reads them or not.
 */
import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
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
