import { describe, expect, it } from 'vitest';
import * as io from '../../../src/kvm/ioctls.ts';
import { bench, kinds } from '../bench.ts';
import { exitOf, type Scripted } from '../fake-guest.ts';

const tick: Scripted = () => ({ why: 'budget', exit: exitOf(0) });
const INTERRUPT_WINDOW = 4;
const NMI_WINDOW = 1 << 22;

function withVector(vector: number, script: Scripted[], rflags = 0x202n) {
  const b = bench(script);
  const { irqchip } = b.kvm.state.vm!;
  irqchip!.ioapic.redirLow[5] = vector;
  irqchip!.lapics[0].svr = 0x1ff;
  irqchip!.pic.chips[0].imr = 0xff;
  b.guest.registers(0).rflags = rflags;
  return b;
}

describe('event injection', () => {
  it('asks for an interrupt window while IF is clear, and injects when it opens', () => {
    const b = withVector(0x41, [tick, () => ({ exit: exitOf(7), rflags: 0x202 }), tick], 2n);
    b.kvm.ioctl(b.vm, io.KVM_IRQ_LINE, { irq: 5, level: 1 });
    b.kvm.advance(0, 1);
    expect(b.guest.controls.at(-1)!.primary & INTERRUPT_WINDOW).toBe(INTERRUPT_WINDOW);
    b.kvm.advance(0, 1);
    b.kvm.advance(0, 1);
    expect(b.guest.injected).toEqual([0, 0, 0x80000041]);
    expect(b.guest.controls.at(-1)!.primary & INTERRUPT_WINDOW).toBe(0);
  });

  it('injects again what an EPT violation interrupted', () => {
    const interrupted: Scripted = () => ({
      exit: exitOf(48, { qualification: 0x782n, guestPhysicalAddress: 0x7000, idtVectoringInfo: 0x80000041 }),
    });
    const b = withVector(0x41, [interrupted, tick]);
    b.kvm.ioctl(b.vm, io.KVM_IRQ_LINE, { irq: 5, level: 1 });
    b.kvm.advance(0, 1);
    b.kvm.advance(0, 1);
    expect(b.guest.injected).toEqual([0x80000041, 0x80000041]);
    expect(b.events.filter((e) => e.kind === 'kvm_inj_virq').map((e) => e.reinjected)).toEqual([false, true]);
  });

  it('holds a second NMI back by a window until the first returned', () => {
    const b = bench([() => ({ exit: exitOf(12, { instructionLength: 1 }), interruptibility: 8 }), tick]);
    b.kvm.ioctl(b.vcpu, io.KVM_NMI);
    b.kvm.ioctl(b.vcpu, io.KVM_NMI);
    b.kvm.advance(0, 1);
    expect(b.guest.injected).toEqual([0x80000202]);
    expect(b.guest.controls.at(-1)!.primary & NMI_WINDOW).toBe(NMI_WINDOW);
  });

  it('turns a contributory fault during a page fault into a double fault, and one more into shutdown', () => {
    const gp: Scripted = () => ({ exit: exitOf(31), a0: 0x99999n, ...{} });
    const b = bench([gp]);
    b.guest.registers(0).cr0 |= 1n;
    b.kvm.state.vcpus[0].control.cr0 |= 1n;
    b.kvm.state.vcpus[0].checkEntry = false;
    b.kvm.state.vcpus[0].events.exception = {
      pending: true,
      injected: false,
      vector: 14,
      hasError: true,
      errorCode: 2,
      payload: 0x1234n,
    };
    b.kvm.advance(0, 1);
    expect(b.guest.injected.at(-1)).toBe(0x80000b0e);
    expect(b.guest.registers(0).cr2).toBe(0x1234n);
  });

  it('shuts down on a triple fault', () => {
    const b = bench([() => ({ exit: exitOf(2) })]);
    expect(b.kvm.advance(0, 1)).toBe('userspace');
    expect(b.kvm.run(b.vcpu).exitReason).toBe(8);
    expect(kinds(b.events).at(-1)).toBe('kvm_userspace_exit');
  });

  it('fails the entry on a guest state no processor can be in', () => {
    const b = bench([tick]);
    b.guest.registers(0).setSegment(7, { selector: 0, base: 0n, limit: 0, access: 0x10000 });
    expect(b.kvm.advance(0, 1)).toBe('userspace');
    expect(b.kvm.run(b.vcpu)).toMatchObject({ exitReason: 9, failEntry: { reason: 0x80000021n } });
  });

  it('tells apart the vCPU timer (52) and the host tick (1) at the end of a budget', () => {
    const b = bench([tick, tick]);
    b.kvm.advance(0, 1);
    b.kvm.state.vm!.irqchip!.lapics[0].timer.expiresAt = 1;
    b.kvm.advance(0, 1);
    const reasons = b.events.filter((e) => e.kind === 'kvm_exit').map((e) => e.exit_reason);
    expect(reasons).toEqual([1, 52]);
  });
});
