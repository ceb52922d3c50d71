import { describe, expect, it } from 'vitest';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { lapicMmioWrite } from '../../../src/kvm/irqchip/index.ts';
import { type Bench, bench, kinds, route, setRegs, setSregs } from '../bench.ts';
import { exitOf, type Scripted } from '../fake-guest.ts';

const tick: Scripted = () => ({ why: 'budget', exit: exitOf(0) });
const INTERRUPT_WINDOW = 4;
const NMI_WINDOW = 1 << 22;
/** Of the local APIC's timer. */
const INITIAL_COUNT = 0x380;

function withVector(vector: number, script: Scripted[], rflags = 0x202n) {
  const b = bench(script);
  route(b, 5, vector);
  setRegs(b, { rflags });
  return b;
}

/** RDMSR of one there is not. */
const rdmsr: Scripted = () => ({ exit: exitOf(31), a0: 0x99999n });
const USER_SPACE_MSR = 188;
/** CR0: ET, PE. */
const PROTECTED = 0x11n;

/** User space says which exception is under way. */
function waiting(b: Bench, exception: Partial<io.VcpuEvents['exception']>): void {
  const events = {} as io.VcpuEvents;
  b.vcpuIoctl(io.KVM_GET_VCPU_EVENTS, events);
  const none = { injected: false, pending: false, nr: 0, hasErrorCode: false, errorCode: 0, payload: undefined };
  expect(b.vcpuIoctl(io.KVM_SET_VCPU_EVENTS, { ...events, exception: { ...none, ...exception } })).toBe(0);
}

describe('event injection', () => {
  it('asks for an interrupt window while IF is clear, and injects when it opens', () => {
    const b = withVector(0x41, [tick, () => ({ exit: exitOf(7), rflags: 0x202 }), tick], 2n);
    b.vmIoctl(io.KVM_IRQ_LINE, { irq: 5, level: 1 });
    b.advance();
    expect(b.guest.controls.at(-1)!.primary & INTERRUPT_WINDOW).toBe(INTERRUPT_WINDOW);
    b.advance();
    b.advance();
    expect(b.guest.injected).toEqual([0, 0, 0x80000041]);
    expect(b.guest.controls.at(-1)!.primary & INTERRUPT_WINDOW).toBe(0);
  });

  it('injects again what an EPT violation interrupted', () => {
    const interrupted: Scripted = () => ({
      exit: exitOf(48, { qualification: 0x782n, guestPhysicalAddress: 0x7000, idtVectoringInfo: 0x80000041 }),
    });
    const b = withVector(0x41, [interrupted, tick]);
    b.vmIoctl(io.KVM_IRQ_LINE, { irq: 5, level: 1 });
    b.advance();
    b.advance();
    expect(b.guest.injected).toEqual([0x80000041, 0x80000041]);
    expect(b.events.filter((e) => e.kind === 'kvm_inj_virq').map((e) => e.reinjected)).toEqual([false, true]);
  });

  it('holds a second NMI back by a window until the first returned', () => {
    const b = bench([() => ({ exit: exitOf(12, { instructionLength: 1 }), interruptibility: 8 }), tick]);
    b.vcpuIoctl(io.KVM_NMI);
    b.vcpuIoctl(io.KVM_NMI);
    b.advance();
    expect(b.guest.injected).toEqual([0x80000202]);
    expect(b.guest.controls.at(-1)!.primary & NMI_WINDOW).toBe(NMI_WINDOW);
  });

  it('delivers a page fault with its error code, its address in CR2', () => {
    const b = bench([tick]);
    setSregs(b, { cr0: PROTECTED });
    waiting(b, { pending: true, nr: 14, hasErrorCode: true, errorCode: 2, payload: 0x1234n });
    b.advance();
    expect(b.guest.injected).toEqual([0x80000b0e]);
    expect(b.guest.registers(0).cr2).toBe(0x1234n);
  });

  it('turns a contributory fault during a page fault into a double fault, and one more into shutdown', () => {
    const b = bench([rdmsr, rdmsr, tick]);
    setSregs(b, { cr0: PROTECTED });
    b.vmIoctl(io.KVM_ENABLE_CAP, { cap: USER_SPACE_MSR, args: [2n] });
    expect(b.advance()).toBe('userspace');
    waiting(b, { injected: true, nr: 14, hasErrorCode: true });
    b.answer({ msr: { data: 0n, error: 1 } });
    expect(b.advance()).toBe('userspace');
    expect(b.guest.injected).toEqual([0, 0x80000b08]);
    waiting(b, { injected: true, nr: 8, hasErrorCode: true });
    b.answer({ msr: { data: 0n, error: 1 } });
    expect(b.advance()).toBe('userspace');
    expect(b.run.exitReason).toBe(8);
  });

  it('shuts down on a triple fault', () => {
    const b = bench([() => ({ exit: exitOf(2) })]);
    expect(b.advance()).toBe('userspace');
    expect(b.run.exitReason).toBe(8);
    expect(kinds(b.events).at(-1)).toBe('kvm_userspace_exit');
  });

  it('fails the entry on a guest state no processor can be in', () => {
    const b = bench([tick]);
    b.guest.registers(0).setSegment(7, { selector: 0, base: 0n, limit: 0, access: 0x10000 });
    expect(b.advance()).toBe('userspace');
    expect(b.run).toMatchObject({ exitReason: 9, failEntry: { reason: 0x80000021n } });
  });

  it('tells apart the vCPU timer (52) and the host tick (1) at the end of a budget', () => {
    const b = bench([tick, tick]);
    b.advance();
    lapicMmioWrite(b.context.from(b.onThread(0)), 0, INITIAL_COUNT, 4, 100);
    b.advance();
    const reasons = b.events.filter((e) => e.kind === 'kvm_exit').map((e) => e.exit_reason);
    expect(reasons).toEqual([1, 52]);
  });
});
