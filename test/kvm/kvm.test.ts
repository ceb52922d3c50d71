import { describe, expect, it } from 'vitest';
import * as io from '../../src/kvm/ioctl/ioctls.ts';
import { bench, kinds, route, setRegs } from './bench.ts';
import { exitOf } from './fake-guest.ts';

describe('KVM', () => {
  it('answers CPUID in the kernel and goes on after the instruction', () => {
    const { advance, guest, events } = bench([() => ({ exit: exitOf(10), a0: 0x40000000n })]);
    expect(advance()).toBe('entered');
    expect(guest.gprs[0]!.slice(0, 4)).toEqual([0x40000001n, 0x564b4d56n, 0x4dn, 0x4b4d564bn]);
    expect(guest.registers(0).rip).toBe(0xfff2n);
    expect(kinds(events).slice(-3)).toEqual(['kvm_entry', 'kvm_exit', 'kvm_cpuid']);
  });

  it('hands an OUT to user space and skips it when user space returns', () => {
    const b = bench([
      () => ({ exit: exitOf(30, { qualification: 0x4020000n, instructionLength: 1 }), a0: 0x1234n }),
      () => ({ exit: exitOf(12, { instructionLength: 1 }) }),
    ]);
    expect(b.advance()).toBe('userspace');
    expect(b.run.io).toEqual({ direction: 1, size: 1, port: 0x402, count: 1, data: [0x34] });
    expect(b.guest.registers(0).rip).toBe(0xfff0n);
    b.answer();
    expect(b.guest.registers(0).rip).toBe(0xfff1n);
    expect(b.advance()).toBe('entered');
    expect(b.guest.registers(0).rip).toBe(0xfff2n);
    expect(b.advance()).toBe('blocked');
    expect(b.machine.kvm.isRunnable(0)).toBe(false);
  });

  it('gives IN what user space answers, keeping the rest of RAX', () => {
    const b = bench([
      () => ({ exit: exitOf(30, { qualification: 0x710008n, instructionLength: 2 }), a0: 0x11223344n }),
      () => ({ why: 'budget', exit: exitOf(0) }),
    ]);
    b.advance();
    b.answer({ data: Uint8Array.of(0x5a) });
    expect(b.advance()).toBe('entered');
    expect(b.guest.gprs[0]![0]).toBe(0x1122335an);
  });

  it('maps memory on the first EPT violation in the order Linux traces it', () => {
    const violation = exitOf(48, { qualification: 0x784n, guestPhysicalAddress: 0x5000 });
    const { advance, guest, events } = bench([() => ({ exit: violation })]);
    expect(advance()).toBe('entered');
    const table = ['kvm_mmu_get_page', 'kvm_tdp_mmu_spte_changed'];
    expect(kinds(events).slice(-10)).toEqual([
      'kvm_page_fault',
      'kvm_mmu_spte_requested',
      ...table,
      ...table,
      ...table,
      'kvm_tdp_mmu_spte_changed',
      'kvm_mmu_set_spte',
    ]);
    expect(guest.controls[0]!.eptPointer).toBe(0x10_0000_005en);
  });

  it('marks an address without a slot as MMIO and asks user space for the data', () => {
    const violation = exitOf(48, { qualification: 0x781n, guestPhysicalAddress: 0xfed00000 });
    const b = bench(
      [() => ({ exit: violation }), () => ({ why: 'budget', exit: exitOf(0) })],
      [
        { then: 'read', gpa: 0xfed00000, length: 4 },
        { then: 'done', writes: [], breakpoints: 0 },
      ],
    );
    expect(b.advance()).toBe('userspace');
    expect(kinds(b.events)).toContain('mark_mmio_spte');
    expect(b.run.mmio).toMatchObject({ physAddr: 0xfed00000, length: 4, isWrite: false });
    b.answer({ data: Uint8Array.of(1, 2, 3, 4) });
    expect(b.events.findLast((event) => event.kind === 'kvm_mmio')).toMatchObject({ gpa: 0xfed00000, val: 0x4030201n });
    expect(b.advance()).toBe('entered');
  });

  it('wakes a halted vCPU by an interrupt and injects its vector', () => {
    const b = bench([
      () => ({ exit: exitOf(12, { instructionLength: 1 }), rflags: 0x202 }),
      () => ({ why: 'budget', exit: exitOf(0) }),
    ]);
    route(b, 5, 0x35);
    setRegs(b, { rflags: 0x202n });
    b.advance();
    expect(b.advance()).toBe('blocked');
    expect(b.vmIoctl(io.KVM_IRQ_LINE, { irq: 5, level: 1 })).toBe(0);
    expect(b.machine.kvm.isRunnable(0)).toBe(true);
    b.advance();
    expect(b.guest.injected.at(-1)).toBe(0x80000035);
  });

  it('leaves to user space at HLT without an in-kernel controller', () => {
    const b = bench([() => ({ exit: exitOf(12, { instructionLength: 1 }) })], [], false);
    expect(b.advance()).toBe('userspace');
    expect(b.run.exitReason).toBe(5);
  });

  it('answers a wrong MSR with #GP', () => {
    const { advance, guest, events } = bench([
      () => ({ exit: exitOf(31), a0: 0x12345n }),
      () => ({ why: 'budget', exit: exitOf(0) }),
    ]);
    advance();
    expect(events.find((event) => event.kind === 'kvm_msr')).toMatchObject({ ecx: 0x12345, exception: 1 });
    advance();
    expect(guest.injected.at(-1)).toBe(0x8000030d);
  });
});
