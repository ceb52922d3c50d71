/** Control registers and EFER: what the guest may set, and what follows for the VMCS. SDM Vol. 3, 2.5. */
import { type KvmContext, REQ_TLB_FLUSH, request } from '../context.ts';
import { guestHas } from './features.ts';
import { readGuest } from '../mmu/guest-memory.ts';
import type { VcpuState } from '../state.ts';
import { VM_ENTRY } from '../../x86/controls.ts';
import { CR0_GUEST_OWNED, CR4_GUEST_OWNED, loadedVmcs, writeVmcs } from '../vmcs/controls.ts';
import {
  ACCESS,
  CR0_CD,
  CR0_ET,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR4_MCE,
  CR4_PAE,
  CR4_PCIDE,
  CR4_VMXE,
  EFER_LMA,
  EFER_LME,
  EFER_NX,
  EFER_SCE,
  SEG,
} from '../../x86/registers.ts';

const { IA32E_MODE_GUEST } = VM_ENTRY;
/** PE, MP, EM, TS, ET, NE, WP, AM, NW, CD, PG. */
const CR0_KNOWN = 0xe005003fn;
/** CR4 bits every processor of this kind has: VME to OSXMMEXCPT. */
const CR4_PLAIN = 0x7ffn;

/** CR4 bits CPUID must offer first. */
const CR4_OFFERED = [
  [11n, 7, 'ecx', 2],
  [16n, 7, 'ebx', 0],
  [17n, 1, 'ecx', 17],
  [18n, 1, 'ecx', 26],
  [20n, 7, 'ebx', 7],
  [21n, 7, 'ebx', 20],
] as const;

const isPaging = (vcpu: VcpuState): boolean => (loadedVmcs(vcpu).cr0Shadow & CR0_PG) !== 0n;
export const isLongMode = (vcpu: VcpuState): boolean => (loadedVmcs(vcpu).guestEfer & EFER_LMA) !== 0n;
export const isProtected = (vcpu: VcpuState): boolean => (loadedVmcs(vcpu).cr0Shadow & CR0_PE) !== 0n;

/** CR4 bits the guest may set, from its CPUID. */
function validCr4(vcpu: VcpuState): bigint {
  let valid = CR4_PLAIN;
  for (const [bit, leaf, register, at] of CR4_OFFERED) if (guestHas(vcpu, leaf, register, at)) valid |= 1n << bit;
  return valid;
}

/** CR0 as the guest sees it now. */
export function currentCr0(kvm: KvmContext, vcpu: VcpuState): bigint {
  const real = kvm.guest.registers(vcpu.index).cr0;
  return (real & CR0_GUEST_OWNED) | (loadedVmcs(vcpu).cr0Shadow & ~CR0_GUEST_OWNED);
}

/** CR4 as the guest sees it now. */
export function currentCr4(kvm: KvmContext, vcpu: VcpuState): bigint {
  const owned = ~loadedVmcs(vcpu).cr4Mask;
  return (kvm.guest.registers(vcpu.index).cr4 & owned) | (loadedVmcs(vcpu).cr4Shadow & ~owned);
}

/** kvm_set_cr0. False: #GP. */
export function setCr0(kvm: KvmContext, vcpu: VcpuState, requested: bigint): boolean {
  if (requested >> 32n !== 0n) return false;
  const cr0 = (requested | CR0_ET) & CR0_KNOWN;
  if ((cr0 & CR0_NW) !== 0n && (cr0 & CR0_CD) === 0n) return false;
  const paging = (cr0 & CR0_PG) !== 0n;
  if (paging && (cr0 & CR0_PE) === 0n) return false;
  if (paging && !isPaging(vcpu) && !mayEnablePaging(kvm, vcpu)) return false;
  const mode64 = isLongMode(vcpu) && (kvm.guest.registers(vcpu.index).segment(SEG.CS).access & ACCESS.LONG) !== 0;
  if (!paging && isPaging(vcpu) && (mode64 || (loadedVmcs(vcpu).cr4Shadow & CR4_PCIDE) !== 0n)) return false;
  applyCr0(kvm, vcpu, cr0);
  return true;
}

function mayEnablePaging(kvm: KvmContext, vcpu: VcpuState): boolean {
  const pae = (loadedVmcs(vcpu).cr4Shadow & CR4_PAE) !== 0n;
  if ((loadedVmcs(vcpu).guestEfer & EFER_LME) === 0n) return !pae || pdptesAreValid(kvm, vcpu);
  return pae && (kvm.guest.registers(vcpu.index).segment(SEG.CS).access & ACCESS.LONG) === 0;
}

/** load_pdptrs: a present PDPTE has no reserved bit set. SDM Vol. 3, 4.4.1. */
function pdptesAreValid(kvm: KvmContext, vcpu: VcpuState): boolean {
  const table = Number(kvm.guest.registers(vcpu.index).cr3 & 0xffffffe0n);
  const bytes = readGuest(kvm, table, 32);
  if (bytes === undefined) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 32);
  for (let at = 0; at < 32; at += 8) {
    const low = view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    if ((low & 1) !== 0 && ((low & 0x1e6) !== 0 || high >>> (kvm.features.physicalBits - 32) !== 0)) return false;
  }
  return true;
}

/** vmx_set_cr0, with IA-32e mode entered or left as PG and EFER.LME say. */
export function applyCr0(kvm: KvmContext, vcpu: VcpuState, cr0: bigint): void {
  const { cr0Shadow: was, guestEfer: efer } = loadedVmcs(vcpu);
  const turned = ((was ^ cr0) & CR0_PG) !== 0n;
  writeVmcs(kvm, loadedVmcs(vcpu), 'cr0Shadow', cr0);
  if (turned && (efer & EFER_LME) !== 0n) {
    applyEfer(kvm, vcpu, (cr0 & CR0_PG) !== 0n ? efer | EFER_LMA : efer & ~EFER_LMA);
  }
  kvm.guest.registers(vcpu.index).cr0 = cr0 | CR0_NE;
  if (turned) request(kvm, vcpu, REQ_TLB_FLUSH);
}

/** CLTS that exited: only where TS is not the guest's own. */
export function clearTaskSwitched(kvm: KvmContext, vcpu: VcpuState): bigint {
  const cr0 = currentCr0(kvm, vcpu) & ~CR0_TS;
  applyCr0(kvm, vcpu, cr0);
  return cr0;
}

/** kvm_set_cr4. False: #GP. */
export function setCr4(kvm: KvmContext, vcpu: VcpuState, cr4: bigint): boolean {
  if ((cr4 & ~validCr4(vcpu)) !== 0n) return false;
  const old = loadedVmcs(vcpu).cr4Shadow;
  if (isLongMode(vcpu)) {
    if ((cr4 & CR4_PAE) === 0n) return false;
  } else if (isPaging(vcpu) && (cr4 & CR4_PAE) !== 0n && (old & CR4_PAE) === 0n && !pdptesAreValid(kvm, vcpu)) {
    return false;
  }
  if ((cr4 & CR4_PCIDE) !== 0n && (old & CR4_PCIDE) === 0n) {
    if (!isLongMode(vcpu) || (kvm.guest.registers(vcpu.index).cr3 & 0xfffn) !== 0n) return false;
  }
  applyCr4(kvm, vcpu, cr4);
  return true;
}

/** vmx_set_cr4: hardware's CR4 has VMXE and MCE set whatever the guest wants. */
export function applyCr4(kvm: KvmContext, vcpu: VcpuState, cr4: bigint): void {
  writeVmcs(kvm, loadedVmcs(vcpu), 'cr4Shadow', cr4);
  kvm.guest.registers(vcpu.index).cr4 = cr4 | CR4_VMXE | CR4_MCE;
  request(kvm, vcpu, REQ_TLB_FLUSH);
}

/** vmx_set_efer. */
export function applyEfer(kvm: KvmContext, vcpu: VcpuState, efer: bigint): void {
  const vmcs = loadedVmcs(vcpu);
  writeVmcs(kvm, vmcs, 'guestEfer', efer);
  kvm.guest.registers(vcpu.index).efer = efer;
  const { entry } = vmcs;
  writeVmcs(kvm, vmcs, 'entry', (efer & EFER_LMA) !== 0n ? entry | IA32E_MODE_GUEST : entry & ~IA32E_MODE_GUEST);
}

/** WRMSR EFER. LMA follows paging, not the write. */
export function writeEfer(kvm: KvmContext, vcpu: VcpuState, value: bigint, byHost: boolean): boolean {
  const old = loadedVmcs(vcpu).guestEfer;
  if (byHost) {
    applyEfer(kvm, vcpu, value & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX));
    return true;
  }
  let valid = EFER_LMA;
  if (guestHas(vcpu, 0x80000001, 'edx', 11)) valid |= EFER_SCE;
  if (guestHas(vcpu, 0x80000001, 'edx', 29)) valid |= EFER_LME;
  if (guestHas(vcpu, 0x80000001, 'edx', 20)) valid |= EFER_NX;
  if ((value & ~valid) !== 0n) return false;
  if (isPaging(vcpu) && ((old ^ value) & EFER_LME) !== 0n) return false;
  applyEfer(kvm, vcpu, (value & ~EFER_LMA) | (old & EFER_LMA));
  return true;
}

/** Which CR4 bits the guest owns, once its CPUID is known. */
export function updateCr4Owner(kvm: KvmContext, vcpu: VcpuState): void {
  const owned = CR4_GUEST_OWNED & validCr4(vcpu);
  writeVmcs(kvm, loadedVmcs(vcpu), 'cr4Mask', BigInt.asUintN(64, ~owned));
}
