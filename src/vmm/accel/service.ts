import { TRIPLE_FAULT } from '../../events/device.ts';
import type { KvmRun, KvmRunAnswer } from '../../kvm/api.ts';
import { flushCoalesced } from './coalesced.ts';
import type { Machine } from '../board/machine.ts';
import { readSpace, writeSpace } from '../memory/address-space.ts';
import { answerRdmsr } from './msr-exits.ts';

/** KVM_EXIT_* reasons that reach user space. Linux include/uapi/linux/kvm.h. */
const KVM_EXIT = {
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
  rdmsr: 29,
} as const;

const NOTHING: KvmRunAnswer = {};

/** What QEMU's kvm_cpu_exec does with the exit a vCPU came back with. Returns what KVM_RUN is told next. */
export function serviceExit(machine: Machine, vcpu: number): KvmRunAnswer {
  const run = machine.kvm.run(machine.fds.vcpus[vcpu]!);
  const { exitReason: reason } = run;
  machine.raise({ kind: 'kvm_run_exit', cpu_index: vcpu, reason });
  flushCoalesced(machine);
  switch (reason) {
    case KVM_EXIT.io:
      return serviceIo(machine, run);
    case KVM_EXIT.mmio:
      return serviceMmio(machine, run);
    case KVM_EXIT.rdmsr:
      return answerRdmsr(run, machine.config.smp);
    case KVM_EXIT.intr:
    case KVM_EXIT.irqWindowOpen:
    case KVM_EXIT.hlt:
    case KVM_EXIT.debug:
      return NOTHING;
    case KVM_EXIT.shutdown:
      machine.askForReset(TRIPLE_FAULT);
      return NOTHING;
    default:
      machine.raise({ kind: 'sim:guest_panicked', by: describeFailure(run) });
      return NOTHING;
  }
}

/** One access, or a string instruction's `count` of them at the same port. */
function serviceIo(machine: Machine, run: KvmRun): KvmRunAnswer {
  const { direction, size, port, count } = run.io;
  const data = direction === 1 ? new Uint8Array(run.io.data) : new Uint8Array(size * count);
  for (let index = 0; index < count; index++) {
    const span = { bytes: data, at: index * size, length: size };
    if (direction === 1) writeSpace(machine.io, port, span);
    else readSpace(machine.io, port, span);
  }
  return direction === 0 ? { data } : NOTHING;
}

function serviceMmio(machine: Machine, run: KvmRun): KvmRunAnswer {
  const { physAddr, length, isWrite } = run.mmio;
  const data = isWrite ? new Uint8Array(run.mmio.data) : new Uint8Array(length);
  const span = { bytes: data, at: 0, length };
  if (isWrite) writeSpace(machine.memory, physAddr, span);
  else readSpace(machine.memory, physAddr, span);
  return isWrite ? NOTHING : { data };
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

const SUBERRORS: Readonly<Record<number, string>> = {
  1: 'emulation',
  2: 'simultaneous exceptions',
  3: 'delivery of event',
};
