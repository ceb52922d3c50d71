import type { Gpa } from '../../base/units.ts';
import type { KvmContext } from '../context.ts';
import { continueEmulation } from '../io/emulation.ts';
import type { GuestStop } from '../../x86/guest.ts';
import { readGuest } from '../mmu/guest-memory.ts';
import { isLongMode } from '../vcpu/mode.ts';
import type { VcpuState } from '../state.ts';
import type { Handled } from '../io/userspace.ts';
import { loadedVmcs } from '../vmcs/controls.ts';
import { ACCESS, CR0_PE, RFLAGS, SEG } from '../../x86/registers.ts';

/** The bytes at the guest's rip, up to the end of their page. */
export interface FetchedInstruction {
  readonly bytes: Uint8Array;
  readonly gpa: Gpa;
  readonly csBase: bigint;
  readonly rip: bigint;
  /** kvm_emulate_insn flags: b0 CR0.PE, b1 EFLAGS.VM, b2 CS.D, b3 CS.L. */
  readonly flags: number;
}

const MAX_LENGTH = 15;

/** Read the instruction at rip as KVM's emulator does; undefined when it is not mapped. */
export function fetchInstruction(kvm: KvmContext, vcpu: VcpuState): FetchedInstruction | undefined {
  const cs = kvm.guest.registers(vcpu.index).segment(SEG.CS);
  const long = isLongMode(vcpu) && (cs.access & ACCESS.LONG) !== 0;
  const { rip, rflags } = kvm.guest.position(vcpu.index);
  const linear = long ? rip : (cs.base + rip) & 0xffff_ffffn;
  const translated = kvm.guest.translate(vcpu.index, linear);
  if (translated === undefined) return undefined;
  const { gpa } = translated;
  const bytes = readGuest(kvm, gpa, Math.min(MAX_LENGTH, 4096 - (gpa % 4096)));
  if (bytes === undefined) return undefined;
  const protectedMode = (loadedVmcs(vcpu).cr0Shadow & CR0_PE) !== 0n ? 1 : 0;
  const flags =
    protectedMode | ((rflags & RFLAGS.VM) !== 0 ? 2 : 0) | (long ? 8 : (cs.access & ACCESS.BIG) !== 0 ? 4 : 0);
  return { bytes: bytes.slice(), gpa, csBase: long ? 0n : cs.base, rip, flags: protectedMode === 0 ? 0 : flags };
}

/** kvm_emulate_insn. */
export function traceEmulation(kvm: KvmContext, fetched: FetchedInstruction, length: number): void {
  kvm.raise({
    kind: 'kvm_emulate_insn',
    rip: fetched.rip,
    csbase: Number(BigInt.asUintN(32, fetched.csBase)),
    len: length,
    insn: fetched.bytes.slice(0, length),
    flags: fetched.flags,
    failed: 0,
  });
}

/** Emulate the instruction that exited, and say so when its length is known. */
export function emulateExit(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const length = stop.exit.instructionLength;
  const fetched = length === 0 ? undefined : fetchInstruction(kvm, vcpu);
  if (fetched !== undefined) traceEmulation(kvm, fetched, length);
  return continueEmulation(kvm, vcpu);
}
