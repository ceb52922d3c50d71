import { describe, expect, test } from 'vitest';
import { supportedCpuid, ENGINE_FEATURES } from '../../src/kvm/vcpu/cpuid.ts';
import { type CpuidEntry, KVM_SET_CPUID2 } from '../../src/kvm/ioctl/ioctls.ts';
import { modelCpuid, parseCpuModel } from '../../src/vmm/cpu/model.ts';
import { type RealGuest, realGuest } from './real-guest.ts';

const HLT = 5;
const UD_HANDLER = 0x2000;

const supported = supportedCpuid(ENGINE_FEATURES);
const announced = (leaf: number, register: 'ebx' | 'ecx' | 'edx', at: number): boolean =>
  (((supported.find((entry) => entry.function === leaf && entry.index === 0)?.[register] ?? 0) >>> at) & 1) !== 0;

/** A machine in flat 32-bit mode at `code`, whose #UD ends in a HLT of its own. */
function flat(code: readonly number[], cpuid: CpuidEntry[] = supported): RealGuest {
  const machine = realGuest([...code, 0xf4]);
  machine.guest.writeHost(UD_HANDLER, Uint8Array.of(0xf4));
  machine.guest.writeHost(0x4000 + 6 * 8, Uint8Array.of(0, 0x20, 8, 0, 0, 0x8e, 0, 0));
  machine.guest.writeHost(0x3008, Uint8Array.of(0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0));
  expect(machine.vcpuIoctl(KVM_SET_CPUID2, { entries: cpuid })).toBe(0);
  machine.setSregs((sregs) => {
    sregs.cr0 |= 1n;
    sregs.cr4 |= 0x600n;
    sregs.gdt = { base: 0x3000n, limit: 0xf };
    sregs.idt = { base: 0x4000n, limit: 0xff };
    sregs.cs = { selector: 8, base: 0n, limit: 0xffffffff, access: 0xc09b };
    for (const name of ['ds', 'es', 'ss'] as const) {
      sregs[name] = { selector: 0x10, base: 0n, limit: 0xffffffff, access: 0xc093 };
    }
  });
  machine.setRegs({ rax: 0x10n, rbx: 0xff00n, rdx: 0x5000n, rsp: 0x6000n });
  return machine;
}

function isUndefined(machine: RealGuest): boolean {
  expect(machine.next()).toBe(HLT);
  return machine.regs().rip === BigInt(UD_HANDLER + 1);
}

describe('what the processor announces', () => {
  test.each([
    ['MOVBE eax, [edx]', 1, 'ecx', 22, [0x0f, 0x38, 0xf0, 0x02]],
    ['ANDN eax, ebx, ecx', 7, 'ebx', 3, [0xc4, 0xe2, 0x60, 0xf2, 0xc1]],
    ['PDEP eax, ebx, ecx', 7, 'ebx', 8, [0xc4, 0xe2, 0x63, 0xf5, 0xc1]],
    ['ADCX eax, ebx', 7, 'ebx', 19, [0x66, 0x0f, 0x38, 0xf6, 0xc3]],
    ['LZCNT eax, ebx', 0x80000001, 'ecx', 5, [0xf3, 0x0f, 0xbd, 0xc3]],
    ['CLFLUSHOPT [edx]', 7, 'ebx', 23, [0x66, 0x0f, 0xae, 0x3a]],
    ['CLWB [edx]', 7, 'ebx', 24, [0x66, 0x0f, 0xae, 0x32]],
    ['RDPID eax', 7, 'ecx', 22, [0xf3, 0x0f, 0xc7, 0xf8]],
    ['POPCNT eax, ebx', 1, 'ecx', 23, [0xf3, 0x0f, 0xb8, 0xc3]],
  ] as const)('%s is there and runs', (_name, leaf, register, at, code) => {
    expect(announced(leaf, register, at)).toBe(true);
    expect(isUndefined(flat(code))).toBe(false);
  });

  test.each([
    ['PCLMULQDQ', 1, 'ecx', 1, [0x66, 0x0f, 0x3a, 0x44, 0xc1, 0]],
    ['AESENC', 1, 'ecx', 25, [0x66, 0x0f, 0x38, 0xdc, 0xc1]],
    ['SHA1NEXTE', 7, 'ebx', 29, [0x0f, 0x38, 0xc8, 0xc1]],
    ['VADDPS', 1, 'ecx', 28, [0xc5, 0xf4, 0x58, 0xc2]],
    ['GF2P8MULB', 7, 'ecx', 8, [0x66, 0x0f, 0x38, 0xcf, 0xc1]],
    ['EXTRQ', 0x80000001, 'ecx', 6, [0x66, 0x0f, 0x79, 0xc1]],
    ['PFADD', 0x80000001, 'edx', 31, [0x0f, 0x0f, 0xc1, 0x9e]],
    ['VMRUN', 0x80000001, 'ecx', 2, [0x0f, 0x01, 0xd8]],
    ['WRPKRU', 7, 'ecx', 3, [0x0f, 0x01, 0xef]],
    ['SERIALIZE', 7, 'edx', 14, [0x0f, 0x01, 0xe8]],
    ['XSAVEC [edx]', 0xd, 'ebx', 31, [0x0f, 0xc7, 0x22]],
  ] as const)('%s is not, and is #UD', (_name, leaf, register, at, code) => {
    expect(announced(leaf, register, at)).toBe(false);
    expect(isUndefined(flat(code))).toBe(true);
  });
});

describe('a feature user space takes away', () => {
  const without = (feature: string) => modelCpuid(supported, parseCpuModel(`host,-${feature}`));

  test.each([
    ['rdrand', [0x0f, 0xc7, 0xf0]],
    ['rdseed', [0x0f, 0xc7, 0xf8]],
    ['invpcid', [0x66, 0x0f, 0x38, 0x82, 0x02]],
  ])('is #UD where VMX has a control for it: %s', (feature, code) => {
    expect(isUndefined(flat(code, without(feature)))).toBe(true);
    if (feature !== 'invpcid') expect(isUndefined(flat(code))).toBe(false);
  });

  test.each([
    ['abm', [0xf3, 0x0f, 0xbd, 0xc3], 16n],
    ['movbe', [0x0f, 0x38, 0xf0, 0x02], 0n],
  ])('still runs where it has none, as on hardware: %s', (feature, code, rax) => {
    const machine = flat(code, without(feature));
    expect(isUndefined(machine)).toBe(false);
    expect(machine.regs().rax).toBe(rax);
  });

  test('RDTSCP and RDPID stay while either is there', () => {
    const rdtscp = [0x0f, 0x01, 0xf9];
    expect(isUndefined(flat(rdtscp, without('rdtscp')))).toBe(false);
    expect(isUndefined(flat(rdtscp, modelCpuid(supported, parseCpuModel('host,-rdtscp,-rdpid'))))).toBe(true);
  });
});
