import { describe, expect, it } from 'vitest';
import * as io from '../../src/kvm/ioctls.ts';
import { bench, kinds } from './bench.ts';
import { exitOf } from './fake-guest.ts';

describe('KVM', () => {
  it('answers CPUID in the kernel and goes on after the instruction', () => {
    const { kvm, guest, events } = bench([() => ({ exit: exitOf(10), a0: 0x40000000n })]);
    expect(kvm.advance(0, 100)).toBe('entered');
    expect(guest.gprs[0].slice(0, 4)).toEqual([0x40000001n, 0x564b4d56n, 0x4dn, 0x4b4d564bn]);
    expect(guest.registers(0).rip).toBe(0xfff2n);
    expect(kinds(events).slice(-3)).toEqual(['kvm_entry', 'kvm_exit', 'kvm_cpuid']);
  });

  it('hands an OUT to user space and skips it when user space returns', () => {
    const { kvm, guest } = bench([
      () => ({ exit: exitOf(30, { qualification: 0x4020000n, instructionLength: 1 }), a0: 0x1234n }),
      () => ({ exit: exitOf(12, { instructionLength: 1 }) }),
    ]);
    expect(kvm.advance(0, 100)).toBe('userspace');
    expect(kvm.run(kvm.state.vcpus[0].fd).io).toEqual({
      direction: 1,
      size: 1,
      port: 0x402,
      count: 1,
      data: [0x34],
    });
    expect(guest.registers(0).rip).toBe(0xfff0n);
    expect(kvm.advance(0, 100)).toBe('entered');
    expect(guest.registers(0).rip).toBe(0xfff2n);
    expect(kvm.advance(0, 100)).toBe('blocked');
    expect(kvm.isRunnable(0)).toBe(false);
  });

  it('gives IN what user space put into the page, keeping the rest of RAX', () => {
    const { kvm, guest } = bench([
      () => ({ exit: exitOf(30, { qualification: 0x710008n, instructionLength: 2 }), a0: 0x11223344n }),
      () => ({ why: 'budget', exit: exitOf(0) }),
    ]);
    kvm.advance(0, 100);
    kvm.run(kvm.state.vcpus[0].fd).io.data[0] = 0x5a;
    expect(kvm.advance(0, 100)).toBe('entered');
    expect(guest.gprs[0][0]).toBe(0x1122335an);
  });

  it('maps memory on the first EPT violation in the order Linux traces it', () => {
    const violation = exitOf(48, { qualification: 0x784n, guestPhysicalAddress: 0x5000 });
    const { kvm, guest, events } = bench([() => ({ exit: violation })]);
    expect(kvm.advance(0, 100)).toBe('entered');
    expect(kinds(events).slice(-7)).toEqual([
      'kvm_page_fault',
      'kvm_mmu_spte_requested',
      'kvm_tdp_mmu_spte_changed',
      'kvm_tdp_mmu_spte_changed',
      'kvm_tdp_mmu_spte_changed',
      'kvm_tdp_mmu_spte_changed',
      'kvm_mmu_set_spte',
    ]);
    expect(guest.controls[0].eptPointer).toBe(0x10_0000_005en);
  });

  it('marks an address without a slot as MMIO and asks user space for the data', () => {
    const violation = exitOf(48, { qualification: 0x781n, guestPhysicalAddress: 0xfed00000 });
    const { kvm, events } = bench(
      [() => ({ exit: violation }), () => ({ why: 'budget', exit: exitOf(0) })],
      [
        { then: 'read', gpa: 0xfed00000, length: 4 },
        { then: 'done', writes: [] },
      ],
    );
    expect(kvm.advance(0, 100)).toBe('userspace');
    expect(kinds(events)).toContain('mark_mmio_spte');
    expect(kvm.run(kvm.state.vcpus[0].fd).mmio).toMatchObject({ physAddr: 0xfed00000, length: 4, isWrite: false });
    expect(kvm.advance(0, 100)).toBe('entered');
  });

  it('wakes a halted vCPU by an interrupt and injects its vector', () => {
    const { kvm, guest, vm } = bench([
      () => ({ exit: exitOf(12, { instructionLength: 1 }), rflags: 0x202 }),
      () => ({ why: 'budget', exit: exitOf(0) }),
    ]);
    kvm.state.vm!.irqchip!.ioapic.redirLow[5] = 0x35;
    kvm.state.vm!.irqchip!.lapics[0].svr = 0x1ff;
    kvm.state.vm!.irqchip!.pic.chips[0].imr = 0xff;
    guest.registers(0).rflags = 0x202n;
    kvm.advance(0, 100);
    expect(kvm.advance(0, 100)).toBe('blocked');
    expect(kvm.ioctl(vm, io.KVM_IRQ_LINE, { irq: 5, level: 1 })).toBe(0);
    expect(kvm.isRunnable(0)).toBe(true);
    kvm.advance(0, 100);
    expect(guest.injected.at(-1)).toBe(0x80000035);
  });

  it('leaves to user space at HLT without an in-kernel controller', () => {
    const { kvm } = bench([() => ({ exit: exitOf(12, { instructionLength: 1 }) })], [], false);
    expect(kvm.advance(0, 100)).toBe('userspace');
    expect(kvm.run(kvm.state.vcpus[0].fd).exitReason).toBe(5);
  });

  it('answers a wrong MSR with #GP', () => {
    const { kvm, guest, events } = bench([
      () => ({ exit: exitOf(31), a0: 0x12345n }),
      () => ({ why: 'budget', exit: exitOf(0) }),
    ]);
    kvm.advance(0, 100);
    expect(events.at(-1)).toMatchObject({ kind: 'kvm_msr', ecx: 0x12345, exception: 1 });
    kvm.advance(0, 100);
    expect(guest.injected.at(-1)).toBe(0x8000030d);
  });
});
