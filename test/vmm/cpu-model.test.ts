import { describe, expect, test } from 'vitest';
import { BASELINE_FEATURES, findCpuid, supportedCpuid } from '../../src/kvm/vcpu/cpuid.ts';
import { modelCpuid, parseCpuModel } from '../../src/vmm/cpu/model.ts';

const supported = supportedCpuid(BASELINE_FEATURES);
const seenWith = (text: string) => modelCpuid(supported, parseCpuModel(text));

/** One bit of what the guest sees. */
function bit(text: string, leaf: number, register: 'eax' | 'ebx' | 'ecx' | 'edx', at: number): number {
  return ((findCpuid(seenWith(text), leaf, 0)?.[register] ?? 0) >>> at) & 1;
}

const letters = (...words: readonly number[]): string =>
  words.flatMap((word) => [0, 8, 16, 24].map((at) => String.fromCharCode((word >>> at) & 0xff))).join('');

describe('-cpu', () => {
  test('host and max are all KVM supports', () => {
    expect(seenWith('host')).toEqual(supported);
    expect(seenWith('max,migratable=no')).toEqual(supported);
  });

  test.each([
    ['qemu64', 1, 'ecx', 13, 1],
    ['qemu64', 1, 'ecx', 20, 0],
    ['qemu64', 1, 'ecx', 21, 1],
    ['qemu64,-x2apic', 1, 'ecx', 21, 0],
    ['qemu64,x2apic=off', 1, 'ecx', 21, 0],
    ['qemu64', 1, 'ecx', 24, 0],
    ['qemu64,+tsc-deadline', 1, 'ecx', 24, 1],
    ['qemu64,tsc_deadline=on', 1, 'ecx', 24, 1],
    ['qemu64,+pcid,+invpcid', 7, 'ebx', 10, 1],
    ['max,-invpcid', 7, 'ebx', 10, 0],
    ['qemu64', 0x40000001, 'eax', 3, 1],
    ['qemu64', 0x40000001, 'eax', 11, 0],
    ['qemu64,-kvmclock', 0x40000001, 'eax', 0, 0],
    ['max,+avx2', 7, 'ebx', 5, 0],
  ] as const)('%s: leaf %i, %s bit %i is %i', (text, leaf, register, at, value) => {
    expect(bit(text, leaf, register, at)).toBe(value);
  });

  test('a vendor is shown in both ranges', () => {
    for (const leaf of [0, 0x80000000]) {
      const entry = findCpuid(seenWith('Opteron_G1,vendor=AuthenticAMD'), leaf, 0)!;
      expect(letters(entry.ebx, entry.edx, entry.ecx)).toBe('AuthenticAMD');
    }
  });

  test('without a vendor the host is not denied: KVM shows its own', () => {
    const entry = findCpuid(seenWith('qemu64'), 0, 0)!;
    expect(letters(entry.ebx, entry.edx, entry.ecx)).toBe('GenuineIntel');
  });

  test("qemu64 signs with QEMU's family 15, model 107, stepping 1", () => {
    expect(findCpuid(seenWith('qemu64'), 1, 0)?.eax).toBe(0x60fb1);
  });

  test.each([
    ['pentium5', 'there is no model pentium5'],
    ['qemu64,+flux', 'there is no feature or property flux'],
    ['qemu64,vendor=AMD', 'a vendor has 12 letters'],
    ['qemu64,stepping=x', 'x is not a number'],
  ])('%s is refused', (text, why) => {
    expect(() => parseCpuModel(text)).toThrow(why);
  });
});
