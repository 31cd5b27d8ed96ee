/** Where a CPU is, from what QEMU says of its registers. */
import { expect, test } from 'vitest';
import { cpuLines, readSymbols, symbolAt } from './hang.js';

const MAP = `\
0000000000000000 D __per_cpu_start
ffffffff81000000 T _stext
ffffffff81000040 t first
ffffffff81000100 T second
ffffffff81800000 T _etext
ffffffff82000000 D data
`;

const REGISTERS = `\

CPU#0
RAX=0000000000000000 RBX=0000000000000000 RCX=0000000000000001 RDX=0000000000000000
R12=0000000000000000 R13=0000000000000000 R14=0000000000000000 R15=0000000000000000
RIP=ffffffff81000050 RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =0000 0000000000000000 ffffffff 00c00000

CPU#1
RIP=00000000004012ab RFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=1
`;

test('a function is named where it is known', () => {
  const symbols = readSymbols(MAP);
  expect(symbolAt(symbols, 0xffffffff81000050n)).toBe('first+0x10');
  expect(symbolAt(symbols, 0xffffffff81000100n)).toBe('second+0x0');
  expect(symbolAt(symbols, 0xffffffff81800001n)).toBeUndefined();
  expect(symbolAt(symbols, 0x4012abn)).toBeUndefined();
  expect(symbolAt([], 0xffffffff81000050n)).toBeUndefined();
});

test('each CPU is a line', () => {
  expect(cpuLines(REGISTERS, readSymbols(MAP))).toEqual([
    'CPU 0: RIP ffffffff81000050 first+0x10, interrupts off',
    'CPU 1: RIP 00000000004012ab, interrupts on, halted',
  ]);
  expect(cpuLines('nothing of the kind', [])).toEqual([]);
});
