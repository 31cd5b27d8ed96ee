/**
 * What can still be learned of a guest that does not answer: where its CPUs are, as QEMU knows,
 * and the stacks that its kernel prints when it is given an NMI, which it cannot mask. The kernel
 * panics on it (`unknown_nmi_panic`), so this is for a guest that is given up.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../../images/index.js';
import type { Guest } from './guest.js';
import { fromTrouble } from './kernel-log.js';

const QMP_MS_MAX = 5000;
/** For the stacks to be on the console and QEMU to be gone; a slow machine prints slowly. */
const STACKS_MS_MAX = 10_000;
const STACKS_LINES = 60;
/** The link addresses of the kernel's text (arch/x86/include/asm/page_64_types.h). */
const TEXT_MIN = 0xffffffff81000000n;
const TEXT_MAX = 0xffffffffc0000000n;

/** Names by address, in ascending order. */
export type Symbols = readonly { readonly address: bigint; readonly name: string }[];

/** Reads a System.map: text only. */
export function readSymbols(map: string): Symbols {
  const symbols: { address: bigint; name: string }[] = [];
  for (const line of map.split('\n')) {
    const [, address, name] = /^([0-9a-f]{16}) [tTwW] (\S+)$/.exec(line) ?? [];
    if (address !== undefined) symbols.push({ address: BigInt(`0x${address}`), name: name! });
  }
  return symbols.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

/** `name+0x12`, or undefined for an address that is in no function of the kernel's. */
export function symbolAt(symbols: Symbols, address: bigint): string | undefined {
  if (address < TEXT_MIN || address >= TEXT_MAX) return undefined;
  const at = symbols.findLastIndex((symbol) => symbol.address <= address);
  if (at < 0 || at === symbols.length - 1) return undefined;
  return `${symbols[at]!.name}+0x${(address - symbols[at]!.address).toString(16)}`;
}

/** One line a CPU of what QEMU's `info registers -a` says. */
export function cpuLines(registers: string, symbols: Symbols): string[] {
  return [...registers.matchAll(/RIP=([0-9a-f]{16}) RFL=([0-9a-f]{8})[^\n]*/g)].map(
    (found, cpu) => {
      const rip = BigInt(`0x${found[1]}`);
      const flags = Number.parseInt(found[2]!, 16);
      const where = symbolAt(symbols, rip);
      const interrupts = flags & 0x200 ? 'on' : 'off';
      const halted = /HLT=1/.test(found[0]) ? ', halted' : '';
      const name = where === undefined ? '' : ` ${where}`;
      return `CPU ${cpu}: RIP ${found[1]}${name}, interrupts ${interrupts}${halted}`;
    },
  );
}

/** Of a kernel that was built here and stays where it was linked; none of others. */
function symbolsOf({ kernel }: Guest): Symbols {
  if (kernel.config.get('RANDOMIZE_BASE') === 'y') return [];
  try {
    return readSymbols(readFileSync(join(kernel.buildDir, 'System.map'), 'utf8'));
  } catch {
    return [];
  }
}

/** The answer, or why there is none. */
export async function answerOf(question: () => Promise<string>): Promise<string> {
  try {
    return await question();
  } catch (error) {
    return `(no answer: ${(error as Error).message})`;
  }
}

/** Has the kernel say where it was, by an NMI; it does not live on. */
async function stacksOf(guest: Guest): Promise<string> {
  const before = guest.machine.consoleText();
  await guest.qmp.execute('inject-nmi', undefined, { timeoutMs: QMP_MS_MAX });
  await guest.machine.wait({ timeoutMs: STACKS_MS_MAX }).catch(() => {});
  const all = guest.machine.consoleText();
  // What the kernel said long ago is in the logs; this is what it says now.
  const console = all.startsWith(before) ? all.slice(before.length) : all;
  return fromTrouble(console, STACKS_LINES) ?? `(nothing) ${printable(guest.consoleTail(5))}`;
}

/** What is known of a guest that does not answer. Never rejects; the guest is gone afterwards. */
export async function hangOf(guest: Guest): Promise<[title: string, text: string][]> {
  const limit = { timeoutMs: QMP_MS_MAX };
  const hmp = { 'command-line': 'info registers -a' };
  const status = await answerOf(async () => {
    return (await guest.qmp.execute('query-status', undefined, limit)).status;
  });
  let registers = '';
  const cpus = await answerOf(async () => {
    registers = await guest.qmp.execute('human-monitor-command', hmp, limit);
    return cpuLines(registers, symbolsOf(guest)).join('\n');
  });
  // A machine that is paused, or out of disk, is not hung: an NMI would find nobody.
  const stacks = status === 'running' ? await answerOf(() => stacksOf(guest)) : '(not running)';
  return [
    ['QEMU', status],
    ['CPUs', cpus],
    ['stacks', stacks],
    ['store', await answerOf(async () => JSON.stringify(await guest.store?.stats()))],
    ['registers', registers],
  ];
}
