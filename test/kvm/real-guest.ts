import { createEngine } from '../../src/engine/index.ts';
import { instantiate } from '../../src/host/wasm.ts';
import type { Kvm, KvmRun, KvmRunAnswer } from '../../src/kvm/api.ts';
import * as io from '../../src/kvm/ioctl/ioctls.ts';
import type { Engine, GuestTime } from '../../src/machine/parts.ts';
import { type Stage, stage } from './stage.ts';
import { untyped } from './user-space.ts';

/** A small virtual machine monitor over KVM and the real processor: 1 MiB of memory, code in real mode at CODE. */
export interface RealGuest extends Stage {
  /** The processor itself: what is done to it here no fact tells. */
  readonly guest: Engine;
  readonly vm: number;
  readonly vcpu: number;
  /** As KVM left it. */
  readonly run: KvmRun;
  /** KVM_RUN: the exit reason it returns with; 'halted' when the vCPU blocks in the kernel. */
  next(answer?: KvmRunAnswer): number | 'halted';
  regs(): io.Regs;
  /** Change some registers. */
  setRegs(change: Partial<io.Regs>): void;
  setSregs(change: (sregs: io.Sregs) => void): void;
  vmIoctl(request: number, arg?: unknown): number;
  vcpuIoctl(request: number, arg?: unknown): number;
}

export const CODE = 0x1000;
const MEMORY = 1 << 20;
const BUDGET = 100_000;
const PROGRESS_LIMIT = 10_000;

/** How the machine is made. */
export interface RealGuestOptions {
  readonly irqchip?: boolean;
  /** Flags of the memory slot. */
  readonly slotFlags?: number;
  /** Ioctls between KVM_CREATE_VM and the memory slot. */
  readonly before?: (kvm: Kvm, vm: number) => void;
}

const processor = (time: GuestTime): Engine =>
  createEngine({
    hostBytes: 4 << 20,
    instantiate,
    hostTsc: () => time.hostTsc(),
    tscPerTick: time.tscPerTick,
    random: (ticks) => time.random(ticks),
  });

/** Code, as bytes, at CODE in real mode; stack below it. */
export function realGuest(code: readonly number[], options: RealGuestOptions = {}): RealGuest {
  const made = stage(processor);
  const { kvm, machine } = made;
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
  machine.engine.writeHost(CODE, Uint8Array.from(code));
  const vcpuIoctl = (request: number, arg?: unknown): number =>
    untyped(machine.kvm.calledBy(made.onThread(0))).ioctl(vcpu, request, arg);
  const guest: RealGuest = {
    ...made,
    get state() {
      return made.state;
    },
    guest: machine.engine,
    vm,
    vcpu,
    get run() {
      return kvm.run(vcpu);
    },
    next(answer = {}) {
      vcpuIoctl(io.KVM_RUN, answer);
      return runOn(made);
    },
    regs() {
      const regs = {} as io.Regs;
      vcpuIoctl(io.KVM_GET_REGS, regs);
      return regs;
    },
    setRegs: (change) => void vcpuIoctl(io.KVM_SET_REGS, { ...guest.regs(), ...change }),
    setSregs(change) {
      const sregs = {} as io.Sregs;
      vcpuIoctl(io.KVM_GET_SREGS, sregs);
      change(sregs);
      vcpuIoctl(io.KVM_SET_SREGS, sregs);
    },
    vmIoctl: (request, arg) => untyped(kvm).ioctl(vm, request, arg),
    vcpuIoctl,
  };
  guest.setSregs((sregs) => {
    sregs.cs = { ...sregs.cs, selector: 0, base: 0n };
  });
  guest.setRegs({ rip: BigInt(CODE), rsp: BigInt(CODE), rflags: 2n });
  made.events.length = 0;
  return guest;
}

function runOn({ machine, state: { vcpus }, onThread }: Stage): number | 'halted' {
  for (let turn = 0; turn < PROGRESS_LIMIT; turn += 1) {
    if (vcpus[0]!.inUserspace) return vcpus[0]!.run.exitReason;
    const progress = machine.kvm.advance(0, BUDGET, onThread(0));
    if (progress === 'blocked' && !machine.kvm.isRunnable(0)) return 'halted';
  }
  throw new Error('the guest does not come to an end');
}
