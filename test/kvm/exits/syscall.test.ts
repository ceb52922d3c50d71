import { describe, expect, it } from 'vitest';
import type { CpuidTable } from '../../../src/kvm/ioctl/ioctls.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { bench, setRegs, setSregs } from '../bench.ts';
import { exitOf, type Scripted } from '../fake-guest.ts';

const UD_EXIT: Scripted = () => ({ exit: exitOf(0, { interruptionInfo: 0x80000306 }) });
const HLT: Scripted = () => ({ exit: exitOf(12, { instructionLength: 1 }) });
const SYSCALL = Uint8Array.of(0x0f, 0x05);
const TF = 0x100n;
/** CR0: PG, ET, PE. */
const PAGING = 0x80000011n;
const PAE = 0x20n;
/** EFER: NX, LMA, LME, SCE. */
const IA32E = 0xd01n;

/** A guest in compatibility mode at a SYSCALL its processor refused. */
function refused(vendor: string, flags = 2n) {
  const b = bench([UD_EXIT, HLT]);
  const supported: CpuidTable = { entries: [] };
  b.kvm.ioctl(b.kvm.open(), io.KVM_GET_SUPPORTED_CPUID, supported);
  const word = (at: number): number => [3, 2, 1, 0].reduce((sum, i) => sum * 256 + vendor.charCodeAt(at + i), 0);
  supported.entries = supported.entries.map((e) =>
    e.function === 0 ? { ...e, ebx: word(0), edx: word(4), ecx: word(8) } : e,
  );
  b.vcpuIoctl(io.KVM_SET_CPUID2, supported);
  const r = b.guest.registers(0);
  setSregs(b, {
    cr0: PAGING,
    cr4: PAE,
    efer: IA32E,
    cs: { selector: 0x3b, base: 0n, limit: 0xffffffff, access: 0xc0fb },
  });
  setRegs(b, { rip: 0x4000n, rflags: flags });
  r.setMsr(0xc0000081, 0x0008n << 32n);
  r.setMsr(0xc0000083, 0x5000n);
  r.setMsr(0xc0000084, TF);
  b.guest.memory.set(SYSCALL, 0x4000);
  b.guest.translate = () => ({ gpa: 0x4000, entries: [] });
  b.advance();
  return { b, r };
}

describe('SYSCALL outside 64-bit mode', () => {
  it('is performed for a guest that sees an AMD processor', () => {
    const { r } = refused('AuthenticAMD', 2n | TF);
    expect(r.rip).toBe(0x5000n);
    expect(r.gpr(1)).toBe(0x4002n);
    expect(r.gpr(11)).toBe(2n | TF);
    expect(r.rflags & TF).toBe(0n);
    expect(r.segment(1)).toMatchObject({ selector: 8, access: 0xa09b });
  });

  it('stays #UD for a guest that sees an Intel processor', () => {
    const { b, r } = refused('GenuineIntel');
    expect(r.rip).toBe(0x4000n);
    b.advance();
    expect(b.guest.injected).toEqual([0, 0x80000306]);
  });
});

describe('KVM_SET_CPUID2', () => {
  it('takes RDTSCP and INVPCID away from a guest that is not told of them', () => {
    const b = bench([HLT]);
    b.vcpuIoctl(io.KVM_SET_CPUID2, { entries: [] });
    b.advance();
    expect(b.guest.controls.at(-1)!.secondary & 0x1008).toBe(0);
  });
});

describe('a pause loop', () => {
  it('gets its short window back once others have had their turn', () => {
    const pause: Scripted = () => ({ exit: exitOf(40) });
    const b = bench([pause, HLT]);
    b.advance();
    expect(b.state.vcpus[0]!.vmcs01.pleWindow).toBe(8192);
    const now = b.machine.now();
    b.origin.raise({ kind: 'sim:thread_switch', from: 0, to: 1, quantum: 125, draw: 0, ns: now });
    b.passTo(now + 1000);
    b.advance();
    expect(b.state.vcpus[0]!.vmcs01.pleWindow).toBe(4096);
  });
});
