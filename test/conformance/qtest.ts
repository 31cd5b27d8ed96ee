/**
 * A QEMU with an ivshmem-doorbell device and no guest: the test is its processor, over the qtest
 * socket.
 *
 * The machine is stopped (-S) and firmware never runs, so the test itself places the device's BARs.
 * Every wait is bounded; disposing ends QEMU and removes the qtest socket, and QEMU dies with this
 * process whatever happens. (QEMU: docs/devel/qtest.)
 */
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Machine } from '@qemu-tmem/qmp';
import { PAGE_BYTES } from '../../emulator/protocol/layout.js';

const ANSWER_MS_MAX = 20_000;
/** Where the test places the BARs: below 4 GiB, above the machine's RAM, clear of its I/O APIC. */
const BAR0 = 0xe000_0000;
const BAR1 = 0xe001_0000;
const BAR2 = 0xc000_0000;
const IVSHMEM_ID = 0x1110_1af4;
const CONFIG_COMMAND = 0x04;
const CONFIG_BAR0 = 0x10;
const MSIX_CONTROL = 0x40;

/** Registers of BAR 0 (QEMU: docs/specs/ivshmem-spec). */
const REGISTER = { ivPosition: 0x08, doorbell: 0x0c } as const;

function bounded<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: nothing for ${ANSWER_MS_MAX} ms`)),
      ANSWER_MS_MAX,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

export interface QtestOptions {
  /**
   * A folder of the caller's for QEMU's log and qtest's socket; the socket is removed at the end.
   */
  readonly folder: string;
  /** The ivshmem server's socket. */
  readonly ivshmemPath: string;
  readonly vectors: number;
}

export class QtestMachine implements AsyncDisposable {
  readonly #server = createServer();
  #machine: Machine | undefined;
  #socket: Socket | undefined;
  #received = '';
  #waiter: ((line: string) => void) | undefined;
  #device = -1;

  private constructor() {}

  /**
   * Starts QEMU and waits until its device has been made and the qtest socket answers.
   * @throws MachineLaunchError with what QEMU printed, when it ends instead
   */
  static async start(options: QtestOptions): Promise<QtestMachine> {
    const machine = new QtestMachine();
    try {
      await machine.#start(options);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start({ folder, ivshmemPath, vectors }: QtestOptions): Promise<void> {
    const qtestPath = join(folder, 'qtest');
    await listen(this.#server, qtestPath);
    const connected = new Promise<Socket>((resolve) => this.#server.once('connection', resolve));
    this.#machine = await Machine.launch({
      logDir: folder,
      defaults: false,
      paused: true,
      machine: 'pc',
      accel: 'tcg',
      memory: 32,
      chardevs: [{ backend: 'socket', id: 'tmem', path: ivshmemPath }],
      devices: [{ driver: 'ivshmem-doorbell', chardev: 'tmem', vectors }],
      args: [
        ['-qtest', `unix:${qtestPath}`],
        ['-qtest-log', '/dev/null'],
      ],
      launchTimeoutMs: ANSWER_MS_MAX,
    });
    this.#use(await bounded('connection of qtest', connected));
    await this.#placeBars();
  }

  #use(socket: Socket): void {
    this.#socket = socket;
    socket.on('error', () => socket.destroy());
    socket.on('data', (text: Buffer) => {
      this.#received += text.toString('latin1');
      for (;;) {
        const end = this.#received.indexOf('\n');
        if (end === -1) return;
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 1);
        if (/^(OK|FAIL|ERR)/.test(line)) this.#waiter?.(line);
      }
    });
  }

  /** Sends one qtest command and gives the rest of its OK line. */
  async command(text: string): Promise<string> {
    const answer = new Promise<string>((resolve) => {
      this.#waiter = resolve;
    });
    this.#socket?.write(`${text}\n`);
    const line = await bounded(text.slice(0, 60), answer);
    if (!line.startsWith('OK')) throw new Error(`qtest: "${text.slice(0, 60)}" gave "${line}"`);
    return line.slice(3);
  }

  // --- PCI --------------------------------------------------------------------------------------

  async #configAddress(register: number): Promise<void> {
    await this.command(`outl 0xcf8 ${0x8000_0000 + this.#device * 0x800 + register}`);
  }

  async readConfig(register: number): Promise<number> {
    await this.#configAddress(register);
    return Number(await this.command('inl 0xcfc'));
  }

  async writeConfig(register: number, value: number): Promise<void> {
    await this.#configAddress(register);
    await this.command(`outl 0xcfc ${value >>> 0}`);
  }

  async #placeBars(): Promise<void> {
    for (this.#device = 0; this.#device < 32; this.#device += 1) {
      if ((await this.readConfig(0)) === IVSHMEM_ID) break;
    }
    if (this.#device === 32) throw new Error('the machine has no ivshmem device');
    await this.writeConfig(CONFIG_BAR0, BAR0);
    await this.writeConfig(CONFIG_BAR0 + 4, BAR1);
    await this.writeConfig(CONFIG_BAR0 + 8, BAR2);
    await this.writeConfig(CONFIG_BAR0 + 12, 0);
    // Memory space and bus mastering on: the second lets the device send interrupts.
    await this.writeConfig(CONFIG_COMMAND, 6);
  }

  /** Bytes of BAR 2, as PCI tells them: the ones that a write of all ones leaves. */
  async sharedBytes(): Promise<number> {
    await this.writeConfig(CONFIG_BAR0 + 8, 0xffff_ffff);
    const mask = (await this.readConfig(CONFIG_BAR0 + 8)) & ~0xf;
    await this.writeConfig(CONFIG_BAR0 + 8, BAR2);
    return -mask >>> 0;
  }

  // --- Memory -----------------------------------------------------------------------------------

  async readWord(address: number): Promise<number> {
    return Number(await this.command(`readl ${address}`));
  }

  async writeWord(address: number, value: number): Promise<void> {
    await this.command(`writel ${address} ${value >>> 0}`);
  }

  /** The word at byte `offset` of the shared memory, through BAR 2. */
  readShared(offset: number): Promise<number> {
    return this.readWord(BAR2 + offset);
  }

  writeShared(offset: number, value: number): Promise<void> {
    return this.writeWord(BAR2 + offset, value);
  }

  async writeSharedBytes(offset: number, bytes: Uint8Array): Promise<void> {
    const hex = Buffer.from(bytes).toString('hex');
    await this.command(`write ${BAR2 + offset} ${bytes.length} 0x${hex}`);
  }

  async readSharedPage(offset: number): Promise<Uint8Array> {
    const hex = await this.command(`read ${BAR2 + offset} ${PAGE_BYTES}`);
    return new Uint8Array(Buffer.from(hex.slice(2), 'hex'));
  }

  // --- The device -------------------------------------------------------------------------------

  ivPosition(): Promise<number> {
    return this.readWord(BAR0 + REGISTER.ivPosition);
  }

  ring(peer: number, vector: number): Promise<void> {
    return this.writeWord(BAR0 + REGISTER.doorbell, peer * 0x1_0000 + vector);
  }

  /**
   * Has vector `vector`, when it fires, write `value` to the RAM at `address`, and lets it fire.
   */
  async armVector(vector: number, address: number, value: number): Promise<void> {
    const entry = BAR1 + 16 * vector;
    await this.writeWord(entry, address);
    await this.writeWord(entry + 4, 0);
    await this.writeWord(entry + 8, value);
    await this.writeWord(entry + 12, 0);
    const control = await this.readConfig(MSIX_CONTROL);
    await this.writeConfig(MSIX_CONTROL, (control | 0x8000_0000) >>> 0);
  }

  /** Reads the RAM at `address` until it is `value`. */
  async waitForWord(address: number, value: number): Promise<void> {
    const deadline = performance.now() + ANSWER_MS_MAX;
    while ((await this.readWord(address)) !== value) {
      if (performance.now() > deadline) throw new Error(`no ${value} at ${address} in time`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine?.[Symbol.asyncDispose]();
    this.#socket?.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
