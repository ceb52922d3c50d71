/** CPUID. SDM Vol. 2A; Linux kvm_emulate_cpuid. */
import { type KvmContext, vmOf } from '../context.ts';
import { type CpuidAnswer, lookUpCpuid } from '../vcpu/cpuid.ts';
import { OPERANDS } from '../../x86/exit-reasons.ts';
import type { GuestStop } from '../../x86/guest.ts';
import { currentCr4 } from '../vcpu/mode.ts';
import type { VcpuState } from '../state.ts';
import { skipExit } from './handled.ts';
import type { Handled } from '../io/userspace.ts';
import { CR4_OSXSAVE, GPR } from '../../x86/registers.ts';

const { eax, ecx } = OPERANDS.CPUID;
const APIC = 0x200;
const OSXSAVE = 0x8000000;
const APIC_ENABLED = 0x800;

/** Exit 10. */
export function handleCpuid(kvm: KvmContext, vcpu: VcpuState, stop: GuestStop): Handled {
  const leaf = Number(BigInt.asUintN(32, stop[eax]));
  const index = Number(BigInt.asUintN(32, stop[ecx]));
  const answer = answerCpuid(kvm, vcpu, leaf, index);
  kvm.raise({
    kind: 'kvm_cpuid',
    function: leaf,
    index,
    rax: answer.eax,
    rbx: answer.ebx,
    rcx: answer.ecx,
    rdx: answer.edx,
    found: answer.found,
    used_max_basic: answer.usedMaxBasic,
  });
  const { guest } = kvm;
  guest.setGpr(vcpu.index, GPR.RAX, BigInt(answer.eax));
  guest.setGpr(vcpu.index, GPR.RBX, BigInt(answer.ebx));
  guest.setGpr(vcpu.index, GPR.RCX, BigInt(answer.ecx));
  guest.setGpr(vcpu.index, GPR.RDX, BigInt(answer.edx));
  return skipExit(kvm, vcpu, stop);
}

/** kvm_cpuid with the bits that follow CR4, XCR0 and the APIC base. */
function answerCpuid(kvm: KvmContext, vcpu: VcpuState, leaf: number, index: number): CpuidAnswer {
  const answer = lookUpCpuid(vcpu.cpuid, leaf, index);
  if (leaf === 1) {
    const osxsave = (currentCr4(kvm, vcpu) & CR4_OSXSAVE) !== 0n;
    answer.ecx = (osxsave ? answer.ecx | OSXSAVE : answer.ecx & ~OSXSAVE) >>> 0;
    answer.edx = (apicEnabled(kvm, vcpu) ? answer.edx | APIC : answer.edx & ~APIC) >>> 0;
  }
  if (leaf === 0xd && index === 0 && answer.found) answer.ebx = 576;
  return answer;
}

function apicEnabled(kvm: KvmContext, vcpu: VcpuState): boolean {
  const { irqchip } = vmOf(kvm);
  return irqchip === undefined || (vcpu.run.apicBase & APIC_ENABLED) !== 0;
}
