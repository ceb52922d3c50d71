import type { MachineEvent } from '../../src/events/vocabulary.ts';
import type { KvmRun, KvmRunAnswer, VcpuProgress } from '../../src/kvm/api.ts';
import type { Emulated } from '../../src/x86/guest.ts';
import * as io from '../../src/kvm/ioctl/ioctls.ts';
import { ioapicWrite, irqchipPortWrite, lapicMmioWrite } from '../../src/kvm/irqchip/index.ts';
import { createFakeGuest, type FakeGuest, type Scripted } from './fake-guest.ts';
import { type Stage, stage, withVm } from './stage.ts';
import { untyped } from './user-space.ts';

/** A VM with one vCPU and 1 MiB of memory over a scripted processor. */
export interface Bench extends Stage {
  readonly guest: FakeGuest;
  readonly vm: number;
  readonly vcpu: number;
  /** As KVM left it. */
  readonly run: KvmRun;
  /** One VM entry and exit. */
  advance(): VcpuProgress;
  /** User space has done what it was asked for and enters KVM_RUN again. */
  answer(given?: KvmRunAnswer): void;
  /** A request to the vCPU's descriptor. */
  vcpuIoctl(request: number, arg?: unknown): number;
  /** A request to the VM's descriptor. */
  vmIoctl(request: number, arg?: unknown): number;
}

const BUDGET = 100;

/** Names of the kernel's tracepoints among events, in order. */
export const kinds = (events: readonly MachineEvent[]): string[] =>
  events.map(({ kind }) => kind).filter((kind) => !kind.includes(':'));

/** A fresh one; events of its making are forgotten. */
export function bench(script: Scripted[], emulations: Emulated[] = [], irqchip = true): Bench {
  const guest = createFakeGuest(script, emulations);
  const made = stage(() => guest);
  const { vm, vcpus } = withVm(made, { irqchip });
  const vcpu = vcpus[0]!;
  const { machine } = made;
  made.events.length = 0;
  const vcpuIoctl = (request: number, arg?: unknown): number =>
    untyped(machine.kvm.calledBy(made.onThread(0))).ioctl(vcpu, request, arg);
  return {
    ...made,
    get state() {
      return made.state;
    },
    guest,
    vm,
    vcpu,
    get run() {
      return made.kvm.run(vcpu);
    },
    advance: () => machine.kvm.advance(0, BUDGET, made.onThread(0)),
    answer: (given = {}) => void vcpuIoctl(io.KVM_RUN, given),
    vcpuIoctl,
    vmIoctl: (request, arg) => untyped(made.kvm).ioctl(vm, request, arg),
  };
}

/** User space changes some of the vCPU's registers. */
export function setRegs({ vcpuIoctl }: Bench, change: Partial<io.Regs>): void {
  const regs = {} as io.Regs;
  vcpuIoctl(io.KVM_GET_REGS, regs);
  vcpuIoctl(io.KVM_SET_REGS, { ...regs, ...change });
}

/** User space changes some of the vCPU's system registers. */
export function setSregs({ vcpuIoctl }: Bench, change: Partial<io.Sregs>): void {
  const sregs = {} as io.Sregs;
  vcpuIoctl(io.KVM_GET_SREGS, sregs);
  vcpuIoctl(io.KVM_SET_SREGS, { ...sregs, ...change });
}

/** The guest has its local APIC on, the PICs masked, and a pin of the IOAPIC send it this vector. */
export function route({ context, onThread }: Bench, pin: number, vector: number): void {
  const guest = context.from(onThread(0));
  lapicMmioWrite(guest, 0, 0xf0, 4, 0x1ff);
  for (const port of [0x21, 0xa1]) irqchipPortWrite(guest, port, 1, 0xff);
  ioapicWrite(guest, 0x00, 0x10 + 2 * pin);
  ioapicWrite(guest, 0x10, vector);
}
