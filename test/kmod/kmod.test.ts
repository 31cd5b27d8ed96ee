/**
 * Files of the module as they are, compiled into programs that count what they do or play the
 * device that they speak with.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAME_MAGIC, FRAME_PAYLOAD_MAX } from '../../emulator/protocol/layout.js';
import { FrameWriter } from '../../emulator/transport/frame.js';
import { headsOf } from '../heads.js';

const ROOT = join(import.meta.dirname, '../..');
const MS_MAX = 60_000;
const FLAGS = ['-std=gnu11', '-O2', '-Wall', '-Werror', '-fsanitize=address,undefined'];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tmem-kmod-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Compiles a program of this folder with files of the module, by name. @returns its path */
function build(program: string, files: readonly string[]): string {
  const at = join(folder, program);
  const stub = '#include "shim.h"\n';
  for (const file of files) {
    const source = join(ROOT, 'guest-kmod', file);
    mkdirSync(at, { recursive: true });
    copyFileSync(source, join(at, file));
    for (const [, name] of readFileSync(source, 'utf8').matchAll(
      /^#include [<"](linux\/.*|compat\.h)[>"]/gm,
    )) {
      mkdirSync(dirname(join(at, name!)), { recursive: true });
      writeFileSync(join(at, name!), stub);
    }
  }
  const source = join(import.meta.dirname, `${program}.c`);
  const includes = ['-I', at, '-I', import.meta.dirname];
  const output = join(at, 'program');
  execFileSync('gcc', [...FLAGS, ...includes, '-o', output, source], { timeout: MS_MAX });
  return output;
}

/** Runs one that must end well. @returns what it printed */
function run(program: string, words: readonly string[], input: Uint8Array): string {
  const { status, stdout, stderr } = spawnSync(program, words, { input, timeout: MS_MAX });
  expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' });
  return String(stdout);
}

function smallFrame(): Uint8Array {
  const writer = new FrameWriter();
  writer.addWord(5);
  return writer.finish({ kind: 6, epoch: 1 }).slice();
}

function repeated(bytes: Uint8Array, count: number): Uint8Array {
  return new Uint8Array(Buffer.concat(new Array<Uint8Array>(count).fill(bytes)));
}

describe('the reader of frames', () => {
  let program = '';
  beforeAll(() => {
    program = build('reader', ['frame.c', 'link.h', 'tmem.h', 'tmem_abi.h']);
  });

  const frame = smallFrame();
  it.each([
    ['heads of the largest frame', headsOf(8192), 0],
    ['heads of half of one', headsOf(8192, FRAME_PAYLOAD_MAX / 2), 0],
    ['heads of small frames', headsOf(8192, 64), 0],
    ['first bytes of a magic number', new Uint8Array(200_000).fill(FRAME_MAGIC & 0xff), 0],
    ['magic numbers', new Uint8Array(new Uint32Array(50_000).fill(FRAME_MAGIC).buffer), 0],
    ['small frames', repeated(frame, 6000), 6000],
    ['small frames, none on a word', repeated(Uint8Array.of(0, ...frame), 6000), 6000],
  ])('has bounded work for each byte of %s', (_name, stream, frames) => {
    for (const piece of ['1000000', '4096', '32', '7']) {
      const [taken, skipped, work] = run(program, [piece], stream).split(' ').map(Number);
      expect(taken).toBe(frames);
      expect(skipped).toBeLessThanOrEqual(stream.length);
      expect.soft(work! / stream.length, `${piece} bytes at a time`).toBeLessThan(8);
    }
  });
});

describe('the virtio-serial transport', () => {
  let program = '';
  beforeAll(() => {
    const headers = ['link.h', 'serial.h', 'tmem.h', 'tmem_abi.h'];
    program = build('serial', ['transport_serial.c', 'serial_control.c', ...headers]);
  });

  const outcome = (what: string): Record<string, number> => {
    const lines = run(program, [what], new Uint8Array(0)).trim().split('\n');
    return Object.fromEntries(lines.map((line) => line.split(' ')).map(([k, v]) => [k, Number(v)]));
  };

  it('gives buffers back that come with nothing in them, or claim more than they hold', () => {
    const { bytes, with_device, kicks } = outcome('mixed');
    expect({ bytes, with_device, kicks }).toEqual({
      bytes: 5 + 4096 + 3,
      with_device: 64,
      kicks: 1,
    });
  });

  it('does not go on for ever with a device that hands empty buffers back at once', () => {
    expect(outcome('empty')).toMatchObject({ bytes: 0, with_device: 64, kicks: 1, looks: 64 });
    // It comes again when others have run.
    expect(outcome('empty').link_kicks).toBeGreaterThan(0);
  });

  it('does not go on for ever with one that never stops to say something', () => {
    const { control_with_device, control_kicks, link_kicks } = outcome('control');
    expect({ control_with_device, control_kicks, link_kicks }).toEqual({
      control_with_device: 16,
      control_kicks: 1,
      link_kicks: 1,
    });
  });

  it('frees no buffer that the device has, when it takes only some', () => {
    expect(outcome('full')).toEqual({ probe: -28, resets: 1, freed_while_lent: 0 });
    expect(outcome('empty')).toMatchObject({ resets: 1, freed_while_lent: 0 });
  });
});
