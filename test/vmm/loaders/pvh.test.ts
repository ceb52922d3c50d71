import { describe, expect, test } from 'vitest';
import { bootProtocol } from '../../../src/vmm/loaders/boot-path.ts';
import { loaderParts } from '../../../src/vmm/loaders/loader-parts.ts';
import { planPvh, pvhEntry } from '../../../src/vmm/loaders/pvh.ts';
import { ramLayout } from '../../../src/vmm/pc/ram-layout.ts';
import { fakeBzImage, fakeMultiboot, fakePvh } from './kernels.ts';

const MIB = 2 ** 20;
const kernel = { name: 'vmlinux', bytes: fakePvh() };
const request = { kernel, initrd: undefined, append: 'a b', ram: ramLayout(64 * MIB), rsdp: 0xf59d0 };
const at = (plan: ReturnType<typeof planPvh>, gpa: number) => {
  const { bytes } = plan.segments.find((part) => part.gpa === gpa)!;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

describe('an ELF kernel with a PVH entry', () => {
  test('is entered where its note says, with hvm_start_info in EBX', () => {
    const plan = planPvh(request);
    expect(plan.entry).toMatchObject({ eip: 0x400020, ebx: 0x9000 });
    const start = at(plan, 0x9000);
    expect([start.getUint32(0, true), start.getUint32(4, true), start.getUint32(12, true)]).toEqual([0x336ec578, 1, 0]);
    expect([start.getBigUint64(24, true), start.getBigUint64(32, true)]).toEqual([0x20000n, 0xf59d0n]);
    expect([start.getBigUint64(40, true), start.getUint32(48, true)]).toEqual([0x9100n, 7]);
  });

  test('has its initrd as a module, where QEMU puts it', () => {
    const plan = planPvh({ ...request, initrd: { name: 'initrd', bytes: new Uint8Array(5000).fill(1) } });
    const module = at(plan, 0x9040);
    expect([module.getBigUint64(0, true), module.getBigUint64(8, true)]).toEqual([0x3fd6000n, 5000n]);
  });

  test.each([
    ['memory too small', { ram: ramLayout(4 * MIB) }, /vmlinux needs 5 MiB of memory and the machine has 4/],
    ['an initrd that does not fit', { initrd: { name: 'i', bytes: new Uint8Array(60 * MIB) } }, /vmlinux and i need/],
    ['a command line too long', { append: 'x'.repeat(5000) }, /has 5000 bytes; a PVH kernel is given 4095/],
  ])('%s is told in one sentence', (_, change, sentence) => {
    expect(() => planPvh({ ...request, ...change })).toThrow(sentence);
  });

  test.each([
    ['of somebody else', { owner: 'GNU\0' }],
    ['of another kind', { type: 17 }],
    ['whose part lies outside the file', { at: 0x201 }],
    ['cut off', { length: 16 }],
    ['that begins at the end of the file', { at: 0x1fc, length: 0xffffffff }],
  ])('a note %s names no entry', (_, change) => {
    expect(pvhEntry(fakePvh(change))).toBeUndefined();
    expect(() => bootProtocol({ name: 'x', bytes: fakePvh(change) })).toThrow('x is an ELF file with neither');
  });

  test('every byte of the headers may be any other: an entry, none, or a sentence', () => {
    for (let place = 0; place < 0x1a0; place++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const bytes = fakePvh();
        bytes[place] = value;
        expect(() => {
          try {
            planPvh({ ...request, kernel: { name: 'x', bytes } });
          } catch (error) {
            if (!(error instanceof Error) || error.constructor.name !== 'Problem') throw error;
          }
        }).not.toThrow();
      }
    }
  });

  test('keeps in the trace what decides where it is entered', () => {
    const outline = new Uint8Array(kernel.bytes.length);
    for (const part of loaderParts(kernel)) outline.set(part.bytes, part.at);
    expect(pvhEntry(outline)).toBe(0x400020);
  });
});

test('a kernel is started by the first protocol it knows: multiboot, Linux, PVH', () => {
  const protocol = (bytes: Uint8Array) => bootProtocol({ name: 'x', bytes });
  expect([fakeMultiboot(), fakeBzImage(), fakePvh()].map(protocol)).toEqual(['multiboot', 'linux', 'pvh']);
});
