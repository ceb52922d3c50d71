import { createEngine } from '../../src/engine/index.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { instantiateHandlers } from '../../src/host/instantiate.ts';
import type { KvmRun } from '../../src/kvm/api.ts';
import type { Guest } from '../../src/kvm/guest.ts';
import * as io from '../../src/kvm/ioctls.ts';
import { createKvm, type KvmKernel } from '../../src/kvm/kvm.ts';

/** A small virtual machine monitor over KVM and the real processor: 1 MiB of memory, code in real mode at CODE. */
export interface RealGuest {
  readonly kvm: KvmKernel;
  readonly guest: Guest;
  readonly events: MachineEvent[];
  readonly vm: number;
  readonly vcpu: number;
  readonly run: KvmRun;
  /** KVM_RUN: the exit reason it returns with; 'halted' when the vCPU blocks in the kernel. */
  next(): number | 'halted';
  regs(): io.Regs;
  /** Change some registers. */
  setRegs(change: Partial<io.Regs>): void;
  setSregs(change: (sregs: io.Sregs) => void): void;
  vmIoctl(request: number, arg?: unknown): number;
  vcpuIoctl(request: number, arg?: unknown): number;
}

export const CODE = 0x1000;
const MEMORY = 1 << 20;
const PROGRESS_LIMIT = 10_000;

/** How the machine is made. */
export interface RealGuestOptions {
  readonly irqchip?: boolean;
  /** Flags of the memory slot. */
  readonly slotFlags?: number;
  /** Ioctls between KVM_CREATE_VM and the memory slot. */
  readonly before?: (kvm: KvmKernel, vm: number) => void;
}

const made = (): { guest: Guest; clock: { ticks: number } } => {
  const clock = { ticks: 0 };
  const guest = createEngine({
    hostBytes: 4 << 20,
    instantiate: instantiateHandlers,
    hostTsc: () => BigInt(clock.ticks * 16),
    tscPerTick: 16,
    random: () => 7n,
  });
  return { guest, clock };
};

/** Code, as bytes, at CODE in real mode; stack below it. */
export function realGuest(code: readonly number[], options: RealGuestOptions = {}): RealGuest {
  const { guest, clock } = made();
  const events: MachineEvent[] = [];
  const kvm = createKvm(guest, {
    now: () => clock.ticks * 8,
    hostTsc: () => BigInt(clock.ticks * 16),
    raise(event) {
      if (event.kind === 'kvm_exit') clock.ticks += event.ticks;
      events.push(event);
    },
    wallClockAtPowerOn: 0n,
  });
  const system = kvm.open();
  const vm = kvm.ioctl(system, io.KVM_CREATE_VM);
  options.before?.(kvm, vm);
  if (options.irqchip === true) kvm.ioctl(vm, io.KVM_CREATE_IRQCHIP);
  const vcpu = kvm.ioctl(vm, io.KVM_CREATE_VCPU, 0);
  const supported: io.CpuidTable = { entries: [] };
  kvm.ioctl(system, io.KVM_GET_SUPPORTED_CPUID, supported);
  kvm.ioctl(vcpu, io.KVM_SET_CPUID2, supported);
  const slot = { slot: 0, flags: options.slotFlags ?? 0, guestPhysAddr: 0, memorySize: MEMORY, userspaceAddr: 0 };
  kvm.ioctl(vm, io.KVM_SET_USER_MEMORY_REGION, slot);
  guest.writeHost(CODE, Uint8Array.from(code));
  const machine: RealGuest = {
    kvm,
    guest,
    events,
    vm,
    vcpu,
    run: kvm.run(vcpu),
    next: () => runOnce(kvm, vcpu),
    regs: () => registersOf(kvm, vcpu),
    setRegs: (change) => void kvm.ioctl(vcpu, io.KVM_SET_REGS, { ...registersOf(kvm, vcpu), ...change }),
    setSregs(change) {
      const sregs = {} as io.Sregs;
      kvm.ioctl(vcpu, io.KVM_GET_SREGS, sregs);
      change(sregs);
      kvm.ioctl(vcpu, io.KVM_SET_SREGS, sregs);
    },
    vmIoctl: (request, arg) => kvm.ioctl(vm, request, arg),
    vcpuIoctl: (request, arg) => kvm.ioctl(vcpu, request, arg),
  };
  machine.setSregs((sregs) => {
    sregs.cs = { ...sregs.cs, selector: 0, base: 0n };
  });
  machine.setRegs({ rip: BigInt(CODE), rsp: BigInt(CODE), rflags: 2n });
  events.length = 0;
  return machine;
}

function registersOf(kvm: KvmKernel, vcpu: number): io.Regs {
  const regs = {} as io.Regs;
  kvm.ioctl(vcpu, io.KVM_GET_REGS, regs);
  return regs;
}

function runOnce(kvm: KvmKernel, vcpu: number): number | 'halted' {
  kvm.ioctl(vcpu, io.KVM_RUN);
  for (let turn = 0; turn < PROGRESS_LIMIT; turn += 1) {
    const progress = kvm.advance(0, 100_000);
    if (progress === 'userspace') return kvm.run(vcpu).exitReason;
    if (progress === 'blocked' && !kvm.isRunnable(0)) return 'halted';
  }
  throw new Error('the guest does not come to an end');
}
