// What a machine leaves in its log folder: `qemu.log`, what QEMU printed; `qmp.log`, what went over
// the monitor; the console's file. What always holds: each is bounded (bounded-log.ts), whatever the
// guest does; after `ended` the first and the last are whole.

import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import type * as net from 'node:net';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import { bounded } from '../waiting.js';
import { BoundedLog } from './bounded-log.js';
import { MachineSpecError } from './options.js';
import type { MachineSpec } from './spec.js';

/** Of a line of the monitor; a schema's is longer and tells nobody anything. */
const QMP_LINE_CHARS = 2_000;
/** QEMU is gone and so are the other ends of its streams: what they hold is to be read, no more. */
const DRAIN_MS_MAX = 1_000;

export class MachineLogs {
  readonly path: string;
  readonly qmpPath: string;
  readonly #qemu: BoundedLog;
  readonly #qmp: BoundedLog;
  readonly #console: BoundedLog | undefined;
  readonly #started = performance.now();

  /** @throws MachineSpecError */
  constructor(spec: MachineSpec) {
    this.path = path.join(spec.logDir, 'qemu.log');
    this.qmpPath = path.join(spec.logDir, 'qmp.log');
    const made: BoundedLog[] = [];
    const make = (file: string): BoundedLog => {
      const log = new BoundedLog(file);
      made.push(log);
      return log;
    };
    try {
      fs.mkdirSync(spec.logDir, { recursive: true });
      if (spec.console !== undefined) fs.mkdirSync(path.dirname(spec.console), { recursive: true });
      this.#qemu = make(this.path);
      this.#qmp = make(this.qmpPath);
      this.#console = spec.console === undefined ? undefined : make(spec.console);
    } catch (cause) {
      for (const log of made) log.close();
      throw new MachineSpecError(`logDir cannot be used: ${cause}`);
    }
  }

  /** One line of the monitor's. */
  readonly trace = (direction: '>' | '<', line: string): void => {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(3);
    const text = line.trimEnd();
    const shown = text.length > QMP_LINE_CHARS ? `${text.slice(0, QMP_LINE_CHARS)}...` : text;
    this.#qmp.write(Buffer.from(`${seconds} ${direction} ${shown}\n`));
  };

  /** Takes what QEMU says from now on; gives what settles once all of it is in the files. */
  async take(
    child: ChildProcess,
    console: net.Socket | undefined,
    onConsole: ((chunk: Buffer) => void) | undefined,
  ): Promise<void> {
    const intoQemuLog = (chunk: Buffer): void => this.#qemu.write(chunk);
    const intoConsole = (chunk: Buffer): void => {
      this.#console?.write(chunk);
      onConsole?.(chunk);
    };
    const ends = [
      read(child.stdout, intoQemuLog),
      read(child.stderr, intoQemuLog),
      read(console, intoConsole),
    ];
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => child.pid === undefined && resolve());
    });
    const limit = { timeoutMs: DRAIN_MS_MAX };
    await bounded(Promise.all(ends), 'reading the logs', limit).catch(() => {});
    this.close();
  }

  close(): void {
    for (const log of [this.#qemu, this.#qmp, this.#console]) log?.close();
  }
}

/** Reads a stream to its end, whatever that is. */
function read(
  stream: Readable | null | undefined,
  take: (chunk: Buffer) => void,
): Promise<void> | undefined {
  if (!stream) return undefined;
  stream.on('data', take);
  stream.on('error', () => {});
  return new Promise((resolve) => stream.once('close', () => resolve()));
}
