/**
 * Which QEMU accelerator to use.
 *
 * An openable /dev/kvm proves nothing: on some nested machines QEMU starts with it and the guest
 * never runs. So `auto` takes KVM only when the CPU shows vmx or svm, /dev/kvm opens, and a probe
 * guest gets as far as its kernel's first words; else TCG, and it says why in one line.
 */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { Machine } from '@qemu-tmem/qmp';
import type { Progress } from '../../images/index.js';
import { TmemError } from '../errors.js';
import type { RunDir } from './paths.js';

export type AcceleratorChoice = 'auto' | 'kvm' | 'tcg';
export type Accelerator = 'kvm' | 'tcg';

const PROBE_MS_MAX = 3000;
const PROBE_LOOK_MS = 25;

/** Why KVM cannot be used on this machine, short of a probe; undefined when it may work. */
export async function kvmObstacle(): Promise<string | undefined> {
  const cpuInfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(cpuInfo)) return 'the CPU shows neither vmx nor svm';
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return `/dev/kvm cannot be opened (${(error as NodeJS.ErrnoException).code ?? 'error'})`;
  }
}

/** Starts a kernel under KVM and looks whether it says anything on its console in time. */
async function kvmProbe(kernelImage: string, runDir: RunDir): Promise<string | undefined> {
  const console = runDir.file('kvm-probe.log');
  await using machine = await Machine.launch({
    logDir: runDir.file('kvm-probe'),
    console,
    defaults: false,
    userConfig: false,
    noReboot: true,
    accel: 'kvm',
    memory: 256,
    kernel: kernelImage,
    append: 'console=ttyS0 panic=-1',
  });
  for (let waited = 0; waited < PROBE_MS_MAX; waited += PROBE_LOOK_MS) {
    if (machine.consoleTail(5).includes('Linux')) return undefined;
    await new Promise((resolve) => setTimeout(resolve, PROBE_LOOK_MS));
  }
  return `a probe guest said nothing within ${PROBE_MS_MAX} ms`;
}

async function findObstacle(kernelImage: string, runDir: RunDir): Promise<string | undefined> {
  const obstacle = await kvmObstacle();
  if (obstacle !== undefined) return obstacle;
  return kvmProbe(kernelImage, runDir).catch((error: Error) => error.message.split('\n')[0]);
}

/**
 * Settles a choice. `say` gets one line when `auto` falls back.
 * @throws TmemError (ACCEL_UNAVAILABLE) when KVM is asked for and does not work
 */
export async function chooseAccelerator(
  choice: AcceleratorChoice,
  kernelImage: string,
  runDir: RunDir,
  say: Progress,
): Promise<Accelerator> {
  if (choice === 'tcg') return 'tcg';
  const obstacle = await findObstacle(kernelImage, runDir);
  if (obstacle === undefined) return 'kvm';
  if (choice === 'kvm') {
    throw new TmemError(
      'ACCEL_UNAVAILABLE',
      `KVM does not work here: ${obstacle}; use --accel tcg, or a machine with KVM`,
    );
  }
  // Not a step: what follows it is another's to tell.
  say(`no KVM (${obstacle}): emulating with TCG`, Number.POSITIVE_INFINITY);
  return 'tcg';
}
