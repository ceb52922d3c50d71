import { describe, expect, test } from 'vitest';
import { planLinux } from '../../../src/vmm/loaders/direct-linux.ts';
import { planMultiboot } from '../../../src/vmm/loaders/multiboot.ts';
import { ramLayout } from '../../../src/vmm/pc/ram-layout.ts';
import { fakeBzImage, fakeMultiboot } from './kernels.ts';

const MIB = 2 ** 20;
const named = (name: string, bytes: Uint8Array) => ({ name, bytes });
const at = (plan: ReturnType<typeof planLinux>, gpa: number) => plan.segments.find((part) => part.gpa === gpa)!.bytes;
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

describe('a bzImage without firmware', () => {
  const request = {
    kernel: named('vmlinuz', fakeBzImage()),
    initrd: named('initrd', new Uint8Array(10_000)),
    append: 'console=ttyS0',
    ram: ramLayout(64 * MIB),
    rsdp: 0xf59d0,
  };
  const plan = planLinux(request);
  const zeroPage = viewOf(at(plan, 0x10000));

  test('enters at 1 MiB with the zero page in ESI and the selectors of the 32-bit protocol', () => {
    expect(plan.entry).toMatchObject({ eip: 0x100000, esi: 0x10000, codeSelector: 0x10, dataSelector: 0x18 });
    expect(at(plan, 0x100000)).toHaveLength(4096);
  });

  test('the initrd lies on a page, below the ACPI area', () => {
    const start = zeroPage.getUint32(0x218, true);
    expect(start % 4096).toBe(0);
    expect(start + 10_000).toBeLessThanOrEqual(64 * MIB - 0x28000);
    expect(zeroPage.getUint32(0x21c, true)).toBe(10_000);
    expect(at(plan, start)).toHaveLength(10_000);
  });

  test('the zero page names command line, memory map and ACPI root pointer', () => {
    expect(zeroPage.getUint32(0x228, true)).toBe(0x20000);
    expect(new TextDecoder().decode(at(plan, 0x20000))).toBe('console=ttyS0\0');
    expect(zeroPage.getBigUint64(0x70, true)).toBe(0xf59d0n);
    expect(zeroPage.getUint8(0x1e8)).toBe(7);
    expect(zeroPage.getUint32(0x2d0 + 16, true)).toBe(1);
  });

  test.each([
    ['a file that is no kernel', { kernel: named('README', new Uint8Array(2048)) }, /README is neither/],
    ['a file cut off in its setup', { kernel: named('cut', fakeBzImage().subarray(0, 800)) }, /cut is truncated/],
    ['an ancient protocol', { kernel: named('old', fakeBzImage({ protocol: 0x202 })) }, /boot protocol 2.02/],
    ['memory too small', { ram: ramLayout(8 * MIB) }, /vmlinuz and initrd need 11 MiB of memory .* has 8;/],
    ['an initrd that does not fit', { initrd: named('big', new Uint8Array(60 * MIB)) }, /big need 71 MiB/],
    [
      'an initrd the kernel does not reach',
      { kernel: named('vmlinuz', fakeBzImage({ initrdMax: 0xa00fff })) },
      /initrd is too large: vmlinuz takes it below 0xa00fff only/,
    ],
    ['a command line too long', { append: 'x'.repeat(3000) }, /has 3000 bytes; vmlinuz takes 2047/],
  ])('%s is told in one sentence', (_, change, sentence) => {
    expect(() => planLinux({ ...request, ...change })).toThrow(sentence);
  });

  test.each([
    ['from where it is loaded, aligned', { initSize: 8 * MIB, alignment: 16 * MIB }, 25],
    ['from its preferred address, which is higher', { initSize: 51 * MIB, prefAddress: 16 * MIB }, 68],
    ['from beyond what addresses reach', { prefAddress: 2 ** 52 }, 2 ** 32],
    ['from 1 MiB before there was such a field', { protocol: 0x209 }, 2],
  ])('needs the memory it unpacks itself to, %s', (_, header, mib) => {
    const alone = { ...request, kernel: named('vmlinuz', fakeBzImage(header)), initrd: undefined };
    const enough = Math.min(mib, 3072);
    expect(() => planLinux({ ...alone, ram: ramLayout((enough - 1) * MIB) })).toThrow(
      `vmlinuz needs ${mib === enough ? mib : 2 ** 32 + 9} MiB of memory and the machine has ${enough - 1};`,
    );
    if (mib === enough) expect(planLinux({ ...alone, ram: ramLayout(mib * MIB) }).entry).toMatchObject({ eip: MIB });
  });
});

describe('a multiboot kernel', () => {
  const request = {
    kernel: named('x/setjmp.flat', fakeMultiboot()),
    modules: [named('environ', new TextEncoder().encode('NR_CPUS=1\n'))],
    append: 'a b',
    ram: ramLayout(128 * MIB),
  };
  const plan = planMultiboot(request);
  const information = viewOf(at(plan, 0x9500));

  test('enters where its ELF header says with the information structure in EBX', () => {
    expect(plan.entry).toMatchObject({ eip: 0x400010, eax: 0x2badb002, ebx: 0x9500 });
  });

  test('the information structure holds memory, command line, module and map', () => {
    expect(information.getUint32(0, true) & 0x4d).toBe(0x4d);
    expect(information.getUint32(8, true)).toBe((128 * MIB - 0x20000 - MIB) / 1024);
    const line = at(plan, information.getUint32(16, true));
    expect(new TextDecoder().decode(line)).toBe('x/setjmp.flat a b\0');
    expect(information.getUint32(20, true)).toBe(1);
    const module = viewOf(at(plan, information.getUint32(24, true)));
    expect(at(plan, module.getUint32(0, true))).toEqual(request.modules[0]!.bytes);
    expect(information.getUint32(48, true)).toBe(0x9000);
  });

  test('zeros follow the part of the file up to its size in memory', () => {
    expect(plan.segments.find((part) => part.gpa === 0x400000)?.size).toBe(0x1000);
  });

  test('memory too small and a truncated file are told in one sentence', () => {
    expect(() => planMultiboot({ ...request, ram: ramLayout(4 * MIB) })).toThrow(/needs \d+ MiB .* has 4/);
    const cut = named('cut.flat', fakeMultiboot().subarray(0, 0x110));
    expect(() => planMultiboot({ ...request, kernel: cut })).toThrow(/cut.flat is damaged or truncated/);
  });
});

test.each([
  [128, 128, 0],
  [3583, 3583, 0],
  [3584, 3072, 512],
  [8192, 3072, 5120],
])('%i MiB are %i below and %i above 4 GiB', (total, below, above) => {
  const ram = ramLayout(total * MIB);
  expect([ram.below4g / MIB, ram.above4g / MIB]).toEqual([below, above]);
});
