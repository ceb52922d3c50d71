import { guestPhysicalBits } from './features.ts';
import { type MsrRow, type MsrRows, setMsr } from './msr-rows.ts';
import { MSR } from '../../x86/msrs.ts';

/** Variable ranges: KVM_NR_VAR_MTRR. */
const VARIABLE = 8;
export const FIRST_VARIABLE = MSR.MTRR_PHYSBASE0;
const FIXED_4K = Array.from({ length: 8 }, (_, at) => MSR.MTRR_FIX4K_C0000 + at);
export const FIXED = [MSR.MTRR_FIX64K_00000, MSR.MTRR_FIX16K_80000, MSR.MTRR_FIX16K_A0000, ...FIXED_4K];
/** MTRRcap: 8 variable ranges, fixed ranges, write combining. SDM Vol. 3, 12.11.1. */
const CAPABILITIES = 0x508n;

const isType = (value: bigint): boolean => value <= 1n || (value >= 4n && value <= 6n);

function bytesAreTypes(value: bigint): boolean {
  for (let at = 0n; at < 64n; at += 8n) if (!isType((value >> at) & 0xffn)) return false;
  return true;
}

const defaultType: MsrRow = {
  read: (_kvm, vcpu) => vcpu.msrs.mtrrDefType,
  write: (kvm, vcpu, value) => {
    if ((value & ~0xcffn) !== 0n || !isType(value & 0xffn)) return false;
    setMsr(kvm, vcpu, MSR.MTRR_DEF_TYPE, value);
    return true;
  },
  listed: true,
};

const fixedRange = (at: number): MsrRow => ({
  read: (_kvm, vcpu) => vcpu.msrs.mtrrFixed[at],
  write: (kvm, vcpu, value) => {
    if (!bytesAreTypes(value)) return false;
    setMsr(kvm, vcpu, FIXED[at]!, value);
    return true;
  },
  listed: true,
});

/** Even registers are bases (a type in bits 7:0), odd ones masks (valid in bit 11). SDM Vol. 3, 12.11.2.3. */
const variableRange = (at: number): MsrRow => ({
  read: (_kvm, vcpu) => vcpu.msrs.mtrrVariable[at],
  write: (kvm, vcpu, value) => {
    const isBase = at % 2 === 0;
    if (value >> BigInt(guestPhysicalBits(vcpu)) !== 0n) return false;
    if (isBase ? !isType(value & 0xffn) || (value & 0xf00n) !== 0n : (value & 0x7ffn) !== 0n) return false;
    setMsr(kvm, vcpu, FIRST_VARIABLE + at, value);
    return true;
  },
  listed: true,
});

/** Memory type range registers. They change nothing here: EPT makes all memory write-back. SDM Vol. 3, 12.11. */
export function mtrrRows(): MsrRows {
  const capabilities: MsrRow = { read: () => CAPABILITIES, write: () => false, listed: false };
  return [
    [MSR.MTRRCAP, capabilities],
    [MSR.MTRR_DEF_TYPE, defaultType],
    ...FIXED.map((index, at) => [index, fixedRange(at)] as const),
    ...Array.from({ length: 2 * VARIABLE }, (_, at) => [FIRST_VARIABLE + at, variableRange(at)] as const),
  ];
}
