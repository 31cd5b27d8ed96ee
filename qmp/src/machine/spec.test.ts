// Arguments from descriptions: QEMU's syntax, its escapes, and the shell's.

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeComma, formatOption, formatOptions, shellQuote } from './options.js';
import { inheritedFd, machineArguments, machineCommand } from './spec.js';

describe('formatOption', () => {
  it('writes members, switches, nested objects and doubled commas', () => {
    expect(formatOption({ a: 1, b: true, c: false, d: undefined, e: 'x,y' })).toBe(
      'a=1,b=on,c=off,e=x,,y',
    );
    expect(
      formatOption({ id: 'd', driver: 'raw', file: { driver: 'file', n: { x: 1 } } }, 'driver'),
    ).toBe('raw,id=d,file.driver=file,file.n.x=1');
    expect(formatOption({ size: 2n ** 63n })).toBe('size=9223372036854775808');
  });

  it('refuses a member QEMU could not read, and a missing first one', () => {
    const code = { code: 'QMP_MACHINE_SPEC' };
    expect(() => formatOption({ 'a=b': 1 })).toThrow(expect.objectContaining(code));
    expect(() => formatOption({ 'a,b': 1 })).toThrow(expect.objectContaining(code));
    expect(() => formatOption({ id: 'x' }, 'driver')).toThrow(/lacks its "driver"/);
    expect(() => formatOption({})).toThrow(expect.objectContaining(code));
  });

  it('escapes so that splitting at single commas gives the value back', () => {
    const property = fc.property(fc.string(), (value) => {
      const undone = escapeComma(value).split(',,').join(',');
      expect(undone).toBe(value);
      expect(escapeComma(value).replaceAll(',,', '')).not.toContain(',');
    });
    fc.assert(property);
  });
});

describe('shellQuote', () => {
  it('is read back by a shell word for word', () => {
    const words = fc.array(fc.string({ unit: 'grapheme-ascii', minLength: 0 }), { maxLength: 5 });
    const property = fc.property(words, (list) => {
      const program = 'for word in "$@"; do printf "%s\\0" "$word"; done';
      const line = `set -- ${shellQuote(list)}\n${program}`;
      const out = execFileSync('sh', ['-c', line], { encoding: 'utf8' });
      expect(out.split('\0').slice(0, -1)).toEqual(list);
    });
    fc.assert(property, { numRuns: 50 });
  });

  it('leaves plain words plain', () => {
    expect(shellQuote(['qemu', '-m', '256M', 'a b', "it's", ''])).toBe(
      "qemu -m 256M 'a b' 'it'\\''s' ''",
    );
  });
});

describe('machineArguments', () => {
  it('writes the whole of a guest as a person would', () => {
    const argv = machineCommand({
      logDir: '/log',
      console: '/log/console,1.log',
      defaults: false,
      noReboot: true,
      machine: 'pc',
      accel: { accel: 'tcg', thread: 'multi' },
      memory: 256,
      smp: 1,
      kernel: '/boot/vmlinuz',
      initrd: '/tmp/initrd',
      append: ['console=ttyS0', 'panic=-1'],
      chardevs: [{ backend: 'socket', id: 'iv', path: '/run/iv.sock' }],
      drives: [{ file: '/a,b.img', if: 'none', id: 'd0', format: 'raw' }],
      devices: [
        { driver: 'ivshmem-doorbell', chardev: 'iv', vectors: 2 },
        { driver: 'virtio-blk-pci', drive: 'd0' },
      ],
      args: ['-snapshot', ['rtc', { base: 'utc', clock: 'vm' }]],
    });
    expect(argv).toEqual([
      'qemu-system-x86_64',
      '-nodefaults',
      '-no-reboot',
      ...['-display', 'none', '-machine', 'pc', '-accel', 'tcg,thread=multi'],
      ...['-m', '256M', '-smp', '1', '-kernel', '/boot/vmlinuz', '-initrd', '/tmp/initrd'],
      ...['-append', 'console=ttyS0 panic=-1'],
      ...['-chardev', 'socket,id=iv,path=/run/iv.sock'],
      ...['-drive', 'file=/a,,b.img,if=none,id=d0,format=raw'],
      ...['-device', 'ivshmem-doorbell,chardev=iv,vectors=2'],
      ...['-device', 'virtio-blk-pci,drive=d0'],
      ...['-chardev', 'file,id=qmp-console,path=/log/console,,1.log'],
      ...['-serial', 'chardev:qmp-console'],
      ...['-snapshot', '-rtc', 'base=utc,clock=vm'],
    ]);
  });

  it('takes every other member too', () => {
    const argv = machineArguments({
      logDir: '/log',
      userConfig: false,
      paused: true,
      name: 'n',
      display: 'curses',
      cpu: { model: 'max', avx2: false },
      smp: { cpus: 2, cores: 2 },
      memory: '1G',
      machine: { type: 'q35', usb: true },
      accel: 'kvm',
      append: 'quiet',
      objects: [{ 'qom-type': 'memory-backend-file', id: 'm', share: true, size: '64M' }],
      blockdevs: [{ driver: 'null-co', 'node-name': 'b' }],
      netdevs: [{ type: 'user', id: 'net' }],
      serials: ['null'],
      monitorPath: '/run/a,b.sock',
      sandbox: { spawn: 'deny' },
    });
    expect(argv.join(' ')).toBe(
      '-no-user-config -display curses -S -name n -machine q35,usb=on -accel kvm ' +
        '-cpu max,avx2=off -m 1G -smp cpus=2,cores=2 -append quiet ' +
        '-object memory-backend-file,id=m,share=on,size=64M -blockdev null-co,node-name=b ' +
        '-netdev user,id=net -serial null ' +
        '-chardev socket,id=qmp-second,path=/run/a,,b.sock,server=on,wait=off ' +
        '-mon chardev=qmp-second,mode=control -sandbox on,spawn=deny',
    );
    expect(formatOptions([['-m', '1G']])).toEqual(['-m', '1G']);
    expect(inheritedFd(0)).toBe(4);
  });
});
