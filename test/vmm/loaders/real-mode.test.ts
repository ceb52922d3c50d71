import { describe, expect, test } from 'vitest';
import { bootProtocol, bootWarning } from '../../../src/vmm/loaders/boot-path.ts';
import { planRealMode } from '../../../src/vmm/loaders/real-mode.ts';
import { ramLayout } from '../../../src/vmm/pc/ram-layout.ts';
import { bench, LEAST } from '../bench.ts';
import { fakeBzImage, fakeRealMode } from './kernels.ts';

const kernel = { name: 'ipxe.lkrn', bytes: fakeRealMode() };
const bios = { name: 'bios.bin', bytes: new Uint8Array(0x10000) };

describe('a bzImage without a 32-bit entry', () => {
  test('is known by its entry of 0, and a person is told what it may want', () => {
    expect(bootProtocol(kernel)).toBe('real mode');
    expect(bootWarning({ kernel, bios: undefined })).toMatch(/^ipxe.lkrn starts in real mode .* -bios /);
    expect(bootWarning({ kernel, bios })).toBeUndefined();
    expect(bootWarning({ kernel: { name: 'x', bytes: fakeBzImage() }, bios: undefined })).toBeUndefined();
  });

  test('has its parts where the option ROM moves them, with the header filled in', () => {
    const initrd = { name: 'initrd', bytes: new Uint8Array(10_000).fill(1) };
    const { segments } = planRealMode({ kernel, initrd, append: 'a b', ram: ramLayout(64 * 2 ** 20) });
    const [setup, main, disk, line] = segments;
    expect(segments.map(({ gpa }) => gpa)).toEqual([0x10000, 0x100000, disk!.gpa, 0x20000]);
    expect(main!.bytes).toHaveLength(4096);
    expect(new TextDecoder().decode(line!.bytes)).toBe('a b\0');
    const header = new DataView(setup!.bytes.buffer, setup!.bytes.byteOffset);
    expect([header.getUint8(0x210), header.getUint32(0x218, true)]).toEqual([0xb0, disk!.gpa]);
  });

  test('is entered at its second sector, with one segment for data and stack', () => {
    const { bios: _, ...rest } = LEAST;
    const { regs, sregs } = bench({ ...rest, bios: undefined as never, kernel });
    expect([regs?.rip, regs?.rsp]).toEqual([0n, 0xfff0n]);
    expect(sregs?.cs).toMatchObject({ selector: 0x1020, base: 0x10200n, limit: 0xffff });
    expect(sregs?.ss).toMatchObject({ selector: 0x1000, base: 0x10000n });
    expect([sregs?.ds, sregs?.es, sregs?.fs, sregs?.gs]).toEqual(Array(4).fill(sregs?.ss));
    expect((sregs?.cr0 ?? 1n) & 1n).toBe(0n);
  });
});
