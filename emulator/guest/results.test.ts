/**
 * Results of guests that lie about them: whatever an archive says, nothing outside its destination
 * is made or changed, and nothing is left half done.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Header, type HeaderData } from 'tar';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Guest } from './guest.js';
import { fetchResult, resultPath } from './results.js';

const top = mkdtempSync(join(tmpdir(), 'tmem-results-'));
let count = 0;
let dir: string;

beforeEach(() => {
  count += 1;
  dir = join(top, String(count));
  mkdirSync(dir);
});

afterAll(() => rmSync(top, { recursive: true, force: true }));

type Entry = HeaderData & { content?: string };

function archive(entries: Entry[]): Buffer {
  const blocks = entries.flatMap(({ content = '', ...data }) => {
    const header = new Header({ mode: 0o644, size: Buffer.byteLength(content), ...data });
    header.encode();
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(content) / 512) * 512);
    body.write(content);
    return [header.block!, body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** A guest whose every command gives these bytes. */
function guestWith(bytes: Buffer, code = 0): Guest {
  const spawn = () => ({
    stdin: { end: () => {} },
    stdout: Readable.from([bytes]),
    stderr: Readable.from(['tar: \u001b[2Jno\n']),
    exit: Promise.resolve(code),
    kill: () => {},
  });
  return { spawn } as unknown as Guest;
}

const into = (name = 'out') => ({ path: `/tmp/${name}`, destination: join(dir, name) });

describe('a result', () => {
  it('is a file, or a folder with all in it', async () => {
    const file = archive([{ path: './out', type: 'File', content: 'hello', mode: 0o4777 }]);
    expect(await fetchResult(guestWith(file), into())).toBe(0);
    expect(readFileSync(join(dir, 'out'), 'utf8')).toBe('hello');
    const folder = archive([
      { path: './tree/', type: 'Directory' },
      { path: './tree/a/b', type: 'File', content: 'deep' },
    ]);
    await fetchResult(guestWith(folder), into('tree'));
    expect(readFileSync(join(dir, 'tree/a/b'), 'utf8')).toBe('deep');
    expect(readdirSync(dir).sort()).toEqual(['out', 'tree']);
  });

  it('leaves links and devices out, and follows none', async () => {
    const entries: Entry[] = [
      { path: './out/', type: 'Directory' },
      { path: './out/link', type: 'SymbolicLink', linkpath: '/etc' },
      { path: './out/link/passwd', type: 'File', content: 'owned' },
      { path: './out/hard', type: 'Link', linkpath: '/etc/passwd' },
      { path: './out/null', type: 'CharacterDevice' },
    ];
    expect(await fetchResult(guestWith(archive(entries)), into())).toBe(3);
    expect(readdirSync(join(dir, 'out'))).toEqual(['link']);
    expect(readFileSync(join(dir, 'out/link/passwd'), 'utf8')).toBe('owned');
  });

  const names = ['../out', './other', './out/../../x', '.', `./out/${'d/'.repeat(80)}x`];
  it.each(names)('cannot be called %s', async (path) => {
    const bytes = archive([{ path, type: 'File', content: 'x' }]);
    await expect(fetchResult(guestWith(bytes), into())).rejects.toMatchObject({
      code: 'RESULT_UNUSABLE',
    });
    expect(readdirSync(dir)).toEqual([]);
    expect(readdirSync(top)).not.toContain('x');
  });

  it('is refused when it is too large, comes twice, breaks off, or is no archive', async () => {
    const file: Entry = { path: './out', type: 'File', content: 'x'.repeat(4096) };
    const whole = archive([file]);
    await expect(fetchResult(guestWith(whole), into(), { bytesMax: 4095 })).rejects.toThrow(
      'more than',
    );
    const bad = [archive([file, file]), whole.subarray(0, 2000), Buffer.alloc(4096, 0x41)];
    for (const bytes of [...bad, Buffer.alloc(0)]) {
      await expect(fetchResult(guestWith(bytes), into())).rejects.toMatchObject({
        code: 'RESULT_UNUSABLE',
      });
    }
    await expect(fetchResult(guestWith(whole, 2), into())).rejects.toThrow('ended with 2');
    await expect(fetchResult(guestWith(Buffer.alloc(0), 66), into())).rejects.toThrow('not there');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is given up with the signal when the guest never ends it', async () => {
    const stop = new AbortController();
    const stuck = guestWith(archive([{ path: './out', type: 'File', content: 'x' }]));
    const spawn = () => ({ ...stuck.spawn(''), exit: new Promise(() => {}) });
    const guest = { spawn } as unknown as Guest;
    const fetched = fetchResult(guest, into(), { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(fetched).rejects.toThrow('enough');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('takes the place of a file or link, and follows neither', async () => {
    writeFileSync(join(dir, 'precious'), 'precious');
    symlinkSync('precious', join(dir, 'out'));
    const bytes = archive([{ path: './out', type: 'File', content: 'new' }]);
    await fetchResult(guestWith(bytes), into());
    expect(readFileSync(join(dir, 'precious'), 'utf8')).toBe('precious');
    expect(readFileSync(join(dir, 'out'), 'utf8')).toBe('new');
  });

  it('is told to be impossible before the guest boots', () => {
    mkdirSync(join(dir, 'there'));
    mkdirSync(join(dir, 'taken/log'), { recursive: true });
    expect(resultPath(`/var/log:${join(dir, 'there')}`)).toEqual({
      path: '/var/log',
      destination: join(dir, 'there/log'),
    });
    expect(resultPath(`log:${join(dir, 'new')}`).destination).toBe(join(dir, 'new'));
    for (const words of [
      `log:${join(dir, 'taken')}`,
      `log:${join(dir, 'no/where')}`,
      '/',
      'a/..',
    ]) {
      expect(() => resultPath(words)).toThrow(expect.objectContaining({ code: 'RESULT_UNUSABLE' }));
    }
  });
});
