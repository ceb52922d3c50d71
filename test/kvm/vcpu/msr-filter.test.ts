import { describe, expect, test } from 'vitest';
import { type EnableCap, KVM_ENABLE_CAP, KVM_X86_SET_MSR_FILTER } from '../../../src/kvm/ioctl/ioctls.ts';
import { type RealGuest, realGuest } from '../real-guest.ts';

const HLT = 5;
const RDMSR = 29;
const WRMSR = 30;
const INVALID = 1;
const UNKNOWN = 2;
const FILTERED = 4;
const READ = 1;
const WRITE = 2;
const SYSENTER_ESP = 0x175;
const EINVAL = -22;

/** mov ecx, MSR; rdmsr; hlt */
const reads = (msr: number) => [0x66, 0xb9, msr & 0xff, (msr >> 8) & 0xff, 0, 0, 0x0f, 0x32, 0xf4];
/** mov ecx, MSR; wrmsr; hlt */
const writes = (msr: number) => [0x66, 0xb9, msr & 0xff, (msr >> 8) & 0xff, 0, 0, 0x0f, 0x30, 0xf4];

const userSpace = (machine: RealGuest, reasons: number): number =>
  machine.vmIoctl(KVM_ENABLE_CAP, { cap: 188, args: [BigInt(reasons)] } satisfies EnableCap);

const filter = (machine: RealGuest, flags: number, ranges: readonly object[]): number =>
  machine.vmIoctl(KVM_X86_SET_MSR_FILTER, { flags, ranges });

const denied = (base: number, flags: number) => ({ flags, base, nmsrs: 8, bitmap: new Uint8Array(1) });

/** The #GP handler is a HLT. */
function withHandler(machine: RealGuest): RealGuest {
  machine.guest.writeHost(13 * 4, Uint8Array.of(0, 0x20, 0, 0));
  machine.guest.writeHost(0x2000, Uint8Array.of(0xf4));
  return machine;
}

describe('an MSR filter', () => {
  test('gives reads of a denied MSR to user space, whose answer the guest gets', () => {
    const machine = realGuest(reads(SYSENTER_ESP));
    userSpace(machine, FILTERED);
    filter(machine, 0, [denied(0x170, READ)]);
    expect(machine.next()).toBe(RDMSR);
    expect(machine.run.msr).toEqual({ reason: FILTERED, index: SYSENTER_ESP, data: 0n });
    expect(machine.next({ msr: { data: 0x1122_3344_5566_7788n, error: 0 } })).toBe(HLT);
    const { rax, rdx } = machine.regs();
    expect([rax & 0xffff_ffffn, rdx & 0xffff_ffffn]).toEqual([0x5566_7788n, 0x1122_3344n]);
  });

  test('gives writes to user space with their value, and an error becomes #GP', () => {
    const machine = withHandler(realGuest(writes(SYSENTER_ESP)));
    machine.setRegs({ rax: 0x1234n, rdx: 1n });
    userSpace(machine, FILTERED);
    filter(machine, 0, [denied(0x170, WRITE)]);
    expect(machine.next()).toBe(WRMSR);
    expect(machine.run.msr).toMatchObject({ reason: FILTERED, index: SYSENTER_ESP, data: 0x1_0000_1234n });
    expect(machine.next({ msr: { data: 0n, error: 1 } })).toBe(HLT);
    expect(machine.regs().rip).toBe(0x2001n);
  });

  test('denies by #GP where user space did not ask', () => {
    const machine = withHandler(realGuest(reads(SYSENTER_ESP)));
    filter(machine, 0, [denied(0x170, READ)]);
    expect(machine.next()).toBe(HLT);
    expect(machine.regs().rip).toBe(0x2001n);
  });

  test('denies only the direction it names, and nothing when it is taken away', () => {
    const machine = realGuest(reads(SYSENTER_ESP));
    userSpace(machine, FILTERED);
    filter(machine, 0, [denied(0x170, WRITE)]);
    expect(machine.next()).toBe(HLT);
    machine.setRegs({ rip: 0x1000n });
    filter(machine, 1, [{ ...denied(0x10, READ), bitmap: Uint8Array.of(0xff) }]);
    expect(machine.next()).toBe(RDMSR);
    filter(machine, 0, []);
    machine.setRegs({ rip: 0x1000n });
  });

  test.each([
    [2, []],
    [1, []],
    [0, [{ flags: 0, base: 0, nmsrs: 8, bitmap: new Uint8Array(1) }]],
    [0, [{ flags: 4, base: 0, nmsrs: 8, bitmap: new Uint8Array(1) }]],
    [0, [{ flags: 1, base: 0, nmsrs: 0x600 * 8 + 1, bitmap: new Uint8Array(1) }]],
  ])('with flags %i and ranges %o is refused', (flags, ranges) => {
    expect(filter(realGuest([0xf4]), flags, ranges)).toBe(EINVAL);
  });
});

describe('KVM_CAP_X86_USER_SPACE_MSR', () => {
  test('tells unknown MSRs from refused values', () => {
    const machine = realGuest([...reads(0x999), ...writes(0x277)]);
    userSpace(machine, INVALID | UNKNOWN);
    expect([machine.next(), machine.run.msr.reason]).toEqual([RDMSR, UNKNOWN]);
    expect(machine.next()).toBe(HLT);
    machine.setRegs({ rax: 2n });
    expect([machine.next(), machine.run.msr.reason]).toEqual([WRMSR, INVALID]);
  });

  test('refuses reasons that do not exist', () => {
    expect(userSpace(realGuest([0xf4]), 8)).toBe(EINVAL);
  });
});
