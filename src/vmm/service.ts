import type { KvmRun, RunBytes } from '../kvm/api.ts';
import { flushCoalesced } from './coalesced.ts';
import type { Machine } from './machine.ts';
import { readSpace, writeSpace } from './memory/address-space.ts';
import { answerRdmsr } from './msr-exits.ts';

/** KVM_EXIT_* reasons that reach user space. Linux include/uapi/linux/kvm.h. */
export const KVM_EXIT = {
  unknown: 0,
  exception: 1,
  io: 2,
  debug: 4,
  hlt: 5,
  mmio: 6,
  irqWindowOpen: 7,
  shutdown: 8,
  failEntry: 9,
  intr: 10,
  internalError: 17,
  systemEvent: 24,
  rdmsr: 29,
} as const;

/** What QEMU's kvm_cpu_exec does with the exit a vCPU came back with. */
export function serviceExit(machine: Machine, vcpu: number): void {
  const run = machine.kvm.run(machine.fds.vcpus[vcpu]!);
  machine.cpu = vcpu;
  machine.host.raise({ kind: 'kvm_run_exit', cpu_index: vcpu, reason: run.exitReason });
  flushCoalesced(machine);
  switch (run.exitReason) {
    case KVM_EXIT.io:
      serviceIo(machine, run);
      break;
    case KVM_EXIT.mmio:
      serviceMmio(machine, run);
      break;
    case KVM_EXIT.shutdown:
      machine.state.resetBy ??= 'triple fault';
      break;
    case KVM_EXIT.rdmsr:
      answerRdmsr(run, machine.options.smp);
      break;
    case KVM_EXIT.systemEvent:
      serviceSystemEvent(machine, run);
      break;
    case KVM_EXIT.intr:
    case KVM_EXIT.irqWindowOpen:
    case KVM_EXIT.hlt:
    case KVM_EXIT.debug:
      break;
    default:
      stop(machine, describeFailure(run));
  }
}

/** One access, or a string instruction's `count` of them at the same port. */
function serviceIo(machine: Machine, run: KvmRun): void {
  const { direction, size, port, count, data } = run.io;
  const bytes = Uint8Array.from(data);
  for (let index = 0; index < count; index++) {
    const span = { bytes, at: index * size, length: size };
    if (direction === 1) writeSpace(machine.io, port, span);
    else readSpace(machine.io, port, span);
  }
  if (direction === 0) putBack(data, bytes);
}

/** What was read goes into the page KVM shares with us. */
function putBack(data: RunBytes, bytes: Uint8Array): void {
  for (let index = 0; index < data.length; index++) data[index] = bytes[index]!;
}

function serviceMmio(machine: Machine, run: KvmRun): void {
  const { physAddr, data, length, isWrite } = run.mmio;
  const bytes = Uint8Array.from(data);
  const span = { bytes, at: 0, length };
  if (isWrite) writeSpace(machine.memory, physAddr, span);
  else {
    readSpace(machine.memory, physAddr, span);
    putBack(data, bytes);
  }
}

function serviceSystemEvent(machine: Machine, run: KvmRun): void {
  if (run.systemEvent.type === SYSTEM_EVENT.reset) machine.state.resetBy ??= 'system event';
  else if (run.systemEvent.type === SYSTEM_EVENT.shutdown) {
    machine.state.stopped = true;
    machine.host.ask({ ask: 'power-off' });
  } else stop(machine, 'the guest crashed');
}

/** QEMU pauses with "internal error"; nothing can go on, so the run ends. */
function stop(machine: Machine, by: string): void {
  machine.host.raise({ kind: 'sim:guest_panicked', by });
  machine.state.stopped = true;
  machine.host.raise({ kind: 'sim:exit_requested', status: FAILED });
  machine.host.ask({ ask: 'exit', status: FAILED });
}

function describeFailure(run: KvmRun): string {
  if (run.exitReason === KVM_EXIT.failEntry) {
    return `KVM: entry failed, hardware error 0x${run.failEntry.reason.toString(16)}`;
  }
  if (run.exitReason === KVM_EXIT.internalError) {
    const name = SUBERRORS[run.internal.suberror] ?? 'unknown';
    return `KVM internal error. Suberror: ${run.internal.suberror} (${name})`;
  }
  return `KVM: unknown exit reason ${run.exitReason}`;
}

const SYSTEM_EVENT = { shutdown: 1, reset: 2 } as const;
const SUBERRORS: Readonly<Record<number, string>> = {
  1: 'emulation',
  2: 'simultaneous exceptions',
  3: 'delivery of event',
};
const FAILED = 1;
