/** KVM_HC_*. Linux Documentation/virt/kvm/x86/hypercalls.rst; kvm_emulate_hypercall. */
import { guestTsc } from '../clock/tsc.ts';
import { type KvmContext, vmOf } from '../context.ts';
import type { Handled } from '../io/userspace.ts';
import { skip } from './handled.ts';
import { OPERANDS } from '../../x86/exit-reasons.ts';
import type { GuestStop } from '../../x86/guest.ts';
import { kickCpu, sendPvIpi } from '../irqchip/index.ts';
import { writeGuest } from '../mmu/guest-memory.ts';
import { isLongMode } from '../vcpu/mode.ts';
import type { VcpuState } from '../state.ts';
import { GPR } from '../../x86/registers.ts';

const KVM_ENOSYS = 1000n;
const KVM_EPERM = 1n;
const KVM_EOPNOTSUPP = 95n;
const KVM_EFAULT = 14n;
const CPL = 3n;
const MODE_64 = 4n;
const NS_PER_SECOND = 1_000_000_000n;

interface HypercallArguments {
  readonly a0: bigint;
  readonly a1: bigint;
  readonly a2: bigint;
  readonly a3: bigint;
  readonly long: boolean;
}

type Hypercall = (kvm: KvmContext, vcpu: VcpuState, args: HypercallArguments) => bigint;

/** By number: VAPIC_POLL_IRQ, KICK_CPU, CLOCK_PAIRING, SEND_IPI, SCHED_YIELD. */
const HYPERCALLS: Readonly<Record<string, Hypercall>> = {
  1: () => 0n,
  5: (kvm, _vcpu, { a1 }) => {
    if (vmOf(kvm).irqchip === undefined) return -KVM_ENOSYS;
    kickCpu(kvm, Number(BigInt.asUintN(32, a1)));
    return 0n;
  },
  9: clockPairing,
  10: (kvm, _vcpu, { a0, a1, a2, a3, long }) => {
    if (vmOf(kvm).irqchip === undefined) return -KVM_ENOSYS;
    const min = Number(BigInt.asUintN(32, a2));
    return BigInt(sendPvIpi(kvm, { low: a0, high: a1 }, min, Number(BigInt.asUintN(32, a3)), long));
  },
  11: () => 0n,
};

/** Exit 18. */
export function handleVmcall(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const long = isLongMode(vcpu) && (stop[OPERANDS.VMCALL.mode] & MODE_64) !== 0n;
  const width = long ? 64 : 32;
  const at = OPERANDS.VMCALL;
  const [nr, rbx, rcx, rdx, rsi] = [stop[at.rax], stop[at.rbx], stop[at.rcx], stop[at.rdx], stop[at.rsi]];
  const called = kvm.after(kvm.raise({ kind: 'kvm_hypercall', nr, a0: rbx, a1: rcx, a2: rdx, a3: rsi }));
  const number = BigInt.asUintN(width, nr);
  const hypercall = HYPERCALLS[number.toString()];
  const ret =
    (stop[OPERANDS.VMCALL.mode] & CPL) !== 0n
      ? -KVM_EPERM
      : hypercall === undefined
        ? -KVM_ENOSYS
        : hypercall(called, vcpu, {
            a0: BigInt.asUintN(width, rbx),
            a1: BigInt.asUintN(width, rcx),
            a2: BigInt.asUintN(width, rdx),
            a3: BigInt.asUintN(width, rsi),
            long,
          });
  const result = BigInt.asUintN(width, ret);
  called.raise({ kind: 'sim:hypercall_ret', nr, ret: result });
  kvm.guest.setGpr(vcpu.index, GPR.RAX, result);
  const stepped = skip(kvm, vcpu, stop.exit.instructionLength);
  return number === 11n && stepped === 'resume' ? 'yield' : stepped;
}

/** struct kvm_clock_pairing: sec, nsec, tsc, flags; 64 bytes in all. */
function clockPairing(kvm: KvmContext, vcpu: VcpuState, { a0, a1 }: HypercallArguments): bigint {
  if (a1 !== 0n || !vmOf(kvm).clock.useMasterClock) return -KVM_EOPNOTSUPP;
  const wall = kvm.wallClockAtPowerOn + BigInt(kvm.now());
  const record = new DataView(new ArrayBuffer(64));
  record.setBigInt64(0, wall / NS_PER_SECOND, true);
  record.setBigInt64(8, wall % NS_PER_SECOND, true);
  record.setBigUint64(16, guestTsc(kvm, vcpu), true);
  return writeGuest(kvm, Number(a0), new Uint8Array(record.buffer)) ? 0n : -KVM_EFAULT;
}
