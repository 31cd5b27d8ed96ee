/**
 * Boots a guest for the tests of images/: plain QEMU under emulation, the agent's port, an optional
 * swap disk. It owns the QEMU process and a temporary folder and takes both away when disposed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GuestAgent } from '../guest/agent.js';
import { GUEST_KERNEL_ARGS } from '../initramfs/initramfs.js';

const CONNECT_TIMEOUT_MS = 120_000;

export interface BootOptions {
  image: string;
  initrd: string;
  memoryMib: number;
  cpus?: number;
  /** Size of a raw virtio disk, /dev/vda in the guest; none when 0. */
  diskMib?: number;
}

export class TestGuest implements AsyncDisposable {
  readonly dir: string;
  readonly agent: GuestAgent;
  readonly qemu: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(dir: string, agent: GuestAgent, qemu: ChildProcess, ended: Promise<void>) {
    this.dir = dir;
    this.agent = agent;
    this.qemu = qemu;
    this.#ended = ended;
  }

  static async boot(options: BootOptions): Promise<TestGuest> {
    const dir = await mkdtemp(join(tmpdir(), 'tmem-images-'));
    // Not even a test run that is killed may leave a QEMU behind.
    const dying = ['--pdeathsig', 'KILL', 'qemu-system-x86_64'];
    const qemu = spawn('setpriv', [...dying, ...(await qemuArguments(dir, options))], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const kill = (): void => void qemu.kill('SIGKILL');
    process.on('exit', kill);
    const ended = new Promise<void>((resolve) => {
      qemu.once('close', () => {
        process.off('exit', kill);
        resolve();
      });
      qemu.once('error', () => resolve());
    });
    try {
      const stop = new AbortController();
      ended.then(() => stop.abort(new Error('QEMU ended before the agent answered')));
      const agent = await GuestAgent.connect({
        path: join(dir, 'agent'),
        timeoutMs: CONNECT_TIMEOUT_MS,
        signal: stop.signal,
      });
      return new TestGuest(dir, agent, qemu, ended);
    } catch (cause) {
      kill();
      await ended;
      const console = await readFile(join(dir, 'console.log'), 'utf8').catch(() => '');
      await rm(dir, { recursive: true, force: true });
      throw new Error(`the guest did not come up; its console:\n${console}`, { cause });
    }
  }

  console(): Promise<string> {
    return readFile(join(this.dir, 'console.log'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.qemu.kill('SIGKILL');
    await this.#ended;
    await this.agent.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}

async function qemuArguments(dir: string, options: BootOptions): Promise<string[]> {
  const args = ['-accel', 'tcg,thread=multi', '-nodefaults', '-no-user-config', '-no-reboot'];
  args.push('-display', 'none', '-machine', 'pc', '-m', `${options.memoryMib}M`);
  args.push('-smp', String(options.cpus ?? 1), '-kernel', options.image);
  args.push('-initrd', options.initrd, '-append', GUEST_KERNEL_ARGS.join(' '));
  args.push('-serial', `file:${join(dir, 'console.log')}`, '-device', 'virtio-serial-pci');
  args.push('-chardev', `socket,id=a,path=${join(dir, 'agent')},server=on,wait=off`);
  args.push('-device', 'virtserialport,chardev=a,name=org.qemu-tmem.agent.0');
  if (options.diskMib) {
    const disk = join(dir, 'disk');
    const file = await open(disk, 'w');
    await file.truncate(options.diskMib * 1024 * 1024);
    await file.close();
    args.push('-drive', `file=${disk},format=raw,if=none,id=d,cache=unsafe`);
    args.push('-device', 'virtio-blk-pci,drive=d');
  }
  return args;
}
