/** Model-specific registers: one row each. SDM Vol. 4, Chapter 2; Linux arch/x86/kvm/x86.c, kvm_get/set_msr_common. */
import { kvmclockMsrs } from '../clock/paravirt-msrs.ts';
import { guestTsc, synchronizeTsc, writeGuestTsc, writeTscAdjust } from '../clock/tsc.ts';
import type { KvmContext } from '../context.ts';
import { vmOf } from '../context.ts';
import { guestHas } from './features.ts';
import { apicBaseWrite, lapicMsrRead, lapicMsrWrite, tscDeadlineRead, tscDeadlineWrite } from '../irqchip/index.ts';
import { writeEfer } from './mode.ts';
import { type MsrRow, type MsrRows, setMsr } from './msr-rows.ts';
import { mtrrRows } from './mtrr.ts';
import type { MsrState, VcpuState } from '../state.ts';
import { loadedVmcs } from '../vmcs/controls.ts';
import { MSR, MSR_AMD } from '../../x86/msrs.ts';

const refuse = (): boolean => false;
const ignore = (): boolean => true;

const readOnly = (value: bigint): MsrRow => ({ read: () => value, write: refuse, listed: false });

/** Reads as zero, writes of zero are taken: registers of processors this one is not. */
const zero: MsrRow = { read: () => 0n, write: (_kvm, _vcpu, value) => value === 0n, listed: false };

/** Counters and event selects of processors without a PMU: reads as zero, takes anything. */
const forgotten: MsrRow = { read: () => 0n, write: ignore, listed: false };

/** Registers KVM keeps as one value each, by number. */
export const STORED = {
  [MSR.FEATURE_CONTROL]: 'featureControl',
  [MSR.SPEC_CTRL]: 'specCtrl',
  [MSR.BIOS_SIGN_ID]: 'ucodeRev',
  [MSR.SMBASE]: 'smbase',
  [MSR.PLATFORM_INFO]: 'platformInfo',
  [MSR.ARCH_CAPABILITIES]: 'archCapabilities',
  [MSR.MISC_FEATURES_ENABLES]: 'miscFeatures',
  [MSR.MCG_STATUS]: 'mcgStatus',
  [MSR.MCG_CTL]: 'mcgCtl',
  [MSR.MISC_ENABLE]: 'miscEnable',
  [MSR.POWER_CTL]: 'powerCtl',
  [MSR.MTRR_DEF_TYPE]: 'mtrrDefType',
} as const satisfies Readonly<Record<number, keyof MsrState>>;

type StoredMsr = keyof typeof STORED;

/** Such a register; `allows` refuses what it cannot hold. */
function kept(index: StoredMsr, allows: (value: bigint, byHost: boolean) => boolean): MsrRow {
  return {
    read: (_kvm, vcpu) => vcpu.msrs[STORED[index]],
    write: (kvm, vcpu, value, byHost) => {
      if (!allows(value, byHost)) return false;
      setMsr(kvm, vcpu, index, value);
      return true;
    },
    listed: true,
  };
}

/** One that refuses other bits than `valid`. */
const stored = (index: StoredMsr, valid: bigint): MsrRow => kept(index, (value) => (value & ~valid) === 0n);

const byHostOnly = (_value: bigint, byHost: boolean): boolean => byHost;

/** Bits 63:47 all equal. SDM Vol. 1, 3.3.7.1. */
const isCanonical = (value: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, value)) === value;

/** A register the processor keeps. */
function inProcessor(index: number, allows: (value: bigint) => boolean): MsrRow {
  return {
    read: (kvm, vcpu) => kvm.guest.registers(vcpu.index).msr(index),
    write: (kvm, vcpu, value) => allows(value) && kvm.guest.registers(vcpu.index).setMsr(index, value),
    listed: true,
  };
}

const any = (): boolean => true;
const thirtyTwoBits = (value: bigint): boolean => value <= 0xffff_ffffn;
/** Every byte a memory type PAT knows: 0, 1, 4, 5, 6, 7. SDM Vol. 3, Table 12-10. */
const isPat = (value: bigint): boolean =>
  [0n, 8n, 16n, 24n, 32n, 40n, 48n, 56n].every((at) => [0n, 1n, 4n, 5n, 6n, 7n].includes((value >> at) & 0xffn));

const PROCESSOR_MSRS: MsrRows = [
  [MSR.SYSENTER_CS, inProcessor(MSR.SYSENTER_CS, any)],
  [MSR.SYSENTER_ESP, inProcessor(MSR.SYSENTER_ESP, isCanonical)],
  [MSR.SYSENTER_EIP, inProcessor(MSR.SYSENTER_EIP, isCanonical)],
  [MSR.PAT, inProcessor(MSR.PAT, isPat)],
  [MSR.STAR, inProcessor(MSR.STAR, any)],
  [MSR.LSTAR, inProcessor(MSR.LSTAR, isCanonical)],
  [MSR.CSTAR, inProcessor(MSR.CSTAR, isCanonical)],
  [MSR.FMASK, inProcessor(MSR.FMASK, any)],
  [MSR.FS_BASE, inProcessor(MSR.FS_BASE, isCanonical)],
  [MSR.GS_BASE, inProcessor(MSR.GS_BASE, isCanonical)],
  [MSR.KERNEL_GS_BASE, inProcessor(MSR.KERNEL_GS_BASE, isCanonical)],
  [MSR.TSC_AUX, inProcessor(MSR.TSC_AUX, thirtyTwoBits)],
];

const MISC_ENABLE_READ_ONLY = 0x1800n;
const MISC_ENABLE_EMON = 1n << 7n;

const miscEnable: MsrRow = {
  read: (_kvm, vcpu) => vcpu.msrs.miscEnable,
  write: (kvm, vcpu, value, byHost) => {
    const old = vcpu.msrs.miscEnable;
    if (!byHost && ((old ^ value) & MISC_ENABLE_READ_ONLY) !== 0n) return false;
    setMsr(kvm, vcpu, MSR.MISC_ENABLE, byHost ? value : (value & ~MISC_ENABLE_EMON) | (old & MISC_ENABLE_EMON));
    return true;
  },
  listed: true,
};

const apicBase: MsrRow = {
  read: (_kvm, vcpu) => BigInt(vcpu.run.apicBase),
  write: (kvm, vcpu, value, byHost) => writeApicBase(kvm, vcpu, value, byHost),
  listed: false,
};

/** IA32_APIC_BASE, which user space sees in the kvm_run page too. False: #GP. */
export function writeApicBase(kvm: KvmContext, vcpu: VcpuState, value: bigint, byHost: boolean): boolean {
  if (vmOf(kvm).irqchip !== undefined) return apicBaseWrite(kvm, vcpu.index, value, byHost);
  if (vcpu.run.apicBase !== Number(value)) {
    kvm.raise({ kind: 'sim:apic_base', vcpu_id: vcpu.index, value: Number(value) });
  }
  return true;
}

const tsc: MsrRow = {
  read: guestTsc,
  write: (kvm, vcpu, value, byHost) => {
    if (byHost) synchronizeTsc(kvm, vcpu, value);
    else writeGuestTsc(kvm, vcpu, value);
    return true;
  },
  listed: true,
};

const tscAdjust: MsrRow = {
  read: (_kvm, vcpu) => vcpu.tsc.adjust,
  write: (kvm, vcpu, value, byHost) => {
    writeTscAdjust(kvm, vcpu, value, byHost);
    return true;
  },
  listed: true,
};

const tscDeadline: MsrRow = {
  read: (kvm, vcpu) => {
    const { irqchip } = vmOf(kvm);
    return irqchip === undefined ? undefined : tscDeadlineRead(irqchip.lapics[vcpu.index]!);
  },
  write: (kvm, vcpu, value) => {
    if (vmOf(kvm).irqchip === undefined) return false;
    tscDeadlineWrite(kvm, vcpu.index, value);
    return true;
  },
  listed: true,
};

const FEATURE_CONTROL_LOCKED = 1n;

const featureControl: MsrRow = {
  read: (_kvm, vcpu) => vcpu.msrs.featureControl,
  write: (kvm, vcpu, value, byHost) => {
    if ((value & ~FEATURE_CONTROL_LOCKED) !== 0n) return false;
    if ((vcpu.msrs.featureControl & FEATURE_CONTROL_LOCKED) !== 0n && !byHost) return false;
    setMsr(kvm, vcpu, MSR.FEATURE_CONTROL, value);
    return true;
  },
  listed: true,
};

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const MCG_CTL_PRESENT = 1n << 8n;

const mcgCtl: MsrRow = {
  read: (_kvm, vcpu, byHost) => ((vcpu.msrs.mcgCap & MCG_CTL_PRESENT) === 0n && !byHost ? undefined : vcpu.msrs.mcgCtl),
  write: (kvm, vcpu, value, byHost) => {
    if ((vcpu.msrs.mcgCap & MCG_CTL_PRESENT) === 0n && (value !== 0n || !byHost)) return false;
    if (value !== 0n && value !== ALL_ONES) return false;
    setMsr(kvm, vcpu, MSR.MCG_CTL, value);
    return true;
  },
  listed: true,
};

const hostOnly = (row: MsrRow): MsrRow => ({
  read: (kvm, vcpu, byHost) => (byHost ? row.read(kvm, vcpu, byHost) : undefined),
  write: (kvm, vcpu, value, byHost) => byHost && row.write(kvm, vcpu, value, byHost),
  listed: row.listed,
});

/** Only when CPUID offers it to the guest. */
function offered(leaf: number, register: 'ecx' | 'edx' | 'ebx', bit: number, row: MsrRow): MsrRow {
  return {
    read: (kvm, vcpu, byHost) =>
      byHost || guestHas(vcpu, leaf, register, bit) ? row.read(kvm, vcpu, byHost) : undefined,
    write: (kvm, vcpu, value, byHost) =>
      (byHost || guestHas(vcpu, leaf, register, bit)) && row.write(kvm, vcpu, value, byHost),
    listed: row.listed,
  };
}

/** BTF and LBR are taken and forgotten; nothing else of DEBUGCTL exists. */
const debugCtl: MsrRow = {
  read: () => 0n,
  write: (_kvm, _vcpu, value) => (value & ~3n) === 0n,
  listed: true,
};

const efer: MsrRow = { read: (_kvm, vcpu) => loadedVmcs(vcpu).guestEfer, write: writeEfer, listed: true };

/** IA32_ARCH_CAPABILITIES: a processor that does not speculate has none of the holes. SDM Vol. 4, Table 2-2. */
export const ARCH_CAPABILITIES = [0, 1, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62].reduce(
  (sum, bit) => sum | (1n << BigInt(bit)),
  0n,
);

const command = (valid: bigint): MsrRow => ({
  read: () => undefined,
  write: (_kvm, _vcpu, value) => (value & ~valid) === 0n,
  listed: false,
});

/** The guest's writes are taken and forgotten. */
const UCODE_REV: MsrRow = { ...kept(MSR.BIOS_SIGN_ID, any), listed: false };

const KVM_MSRS: MsrRows = [
  [MSR.TSC, tsc],
  [MSR.PLATFORM_ID, zero],
  [MSR.APIC_BASE, apicBase],
  [MSR.EBL_CR_POWERON, zero],
  [MSR.EBC_FREQUENCY_ID, readOnly(1n << 24n)],
  [MSR.SMI_COUNT, { read: () => 0n, write: (_kvm, _vcpu, _value, byHost) => byHost, listed: true }],
  [MSR.FEATURE_CONTROL, featureControl],
  [MSR.TSC_ADJUST, offered(7, 'ebx', 1, tscAdjust)],
  [MSR.SPEC_CTRL, offered(7, 'edx', 26, stored(MSR.SPEC_CTRL, 7n))],
  [MSR.PRED_CMD, offered(7, 'edx', 26, command(1n))],
  [MSR.BIOS_UPDT_TRIG, { read: () => undefined, write: ignore, listed: false }],
  [
    MSR.BIOS_SIGN_ID,
    { ...UCODE_REV, write: (kvm, vcpu, value, byHost) => !byHost || UCODE_REV.write(kvm, vcpu, value, byHost) },
  ],
  [MSR.SMBASE, hostOnly(kept(MSR.SMBASE, any))],
  [MSR.PMC0, zero],
  [MSR.PMC1, zero],
  [MSR.FSB_FREQ, readOnly(3n)],
  [MSR.PLATFORM_INFO, kept(MSR.PLATFORM_INFO, byHostOnly)],
  [MSR.ARCH_CAPABILITIES, offered(7, 'edx', 29, kept(MSR.ARCH_CAPABILITIES, byHostOnly))],
  [MSR.FLUSH_CMD, offered(7, 'edx', 28, command(1n))],
  [MSR.MISC_FEATURES_ENABLES, stored(MSR.MISC_FEATURES_ENABLES, 0n)],
  [MSR.MCG_CAP, { read: (_kvm, vcpu) => vcpu.msrs.mcgCap, write: refuse, listed: false }],
  [MSR.MCG_STATUS, stored(MSR.MCG_STATUS, ALL_ONES)],
  [MSR.MCG_CTL, mcgCtl],
  [MSR.PERFEVTSEL0, zero],
  [MSR.PERFEVTSEL1, zero],
  [MSR.PERF_STATUS, readOnly(1000n | (4n << 40n))],
  [MSR.PERF_CTL, zero],
  [MSR.MISC_ENABLE, miscEnable],
  [MSR.DEBUGCTL, debugCtl],
  [MSR.LAST_BRANCH_FROM_IP, zero],
  [MSR.LAST_BRANCH_TO_IP, zero],
  [MSR.LAST_INT_FROM_IP, zero],
  [MSR.LAST_INT_TO_IP, zero],
  [MSR.POWER_CTL, stored(MSR.POWER_CTL, ALL_ONES)],
  [MSR.PERF_CAPABILITIES, hostOnly(zero)],
  [MSR.RAPL_POWER_UNIT, zero],
  [MSR.PKG_ENERGY_STATUS, zero],
  [MSR.DRAM_ENERGY_STATUS, zero],
  [MSR.PP0_ENERGY_STATUS, zero],
  [MSR.PP1_ENERGY_STATUS, zero],
  [MSR.TSC_DEADLINE, offered(1, 'ecx', 24, tscDeadline)],
  [MSR.XSS, hostOnly(zero)],
  [MSR.EFER, efer],
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((at) => [MSR_AMD.K7_EVNTSEL0 + at, forgotten] as const),
  [MSR_AMD.SYSCFG, zero],
  [MSR_AMD.HWCR, zero],
  [MSR_AMD.NB_CFG, zero],
  [MSR_AMD.PATCH_LOADER, zero],
  [MSR_AMD.INT_PENDING_MSG, zero],
  [MSR_AMD.MMIO_CONF_BASE, zero],
  [MSR_AMD.VM_HSAVE_PA, zero],
];

const ROWS: ReadonlyMap<number, MsrRow> = new Map([...PROCESSOR_MSRS, ...KVM_MSRS, ...mtrrRows(), ...kvmclockMsrs()]);

/** SDM Vol. 4, table 2-2. */
export const FIRST_BANK = MSR.MC0_CTL;

/** All MSRs KVM_GET_MSR_INDEX_LIST names. */
export function listedMsrs(): number[] {
  return [...ROWS].filter(([, row]) => row.listed).map(([index]) => index);
}

/** The registers of an x2APIC: 256 of them. */
const isX2apic = (index: number): boolean => index >= MSR.X2APIC && index <= MSR.X2APIC + 0xff;

/** Whether KVM has such an MSR at all: unknown ones are told apart from refused values. */
export const isKnownMsr = (vcpu: VcpuState, index: number): boolean =>
  ROWS.has(index) || isX2apic(index) || isBank(vcpu, index);

/** kvm_get_msr: undefined is #GP. */
export function readMsr(kvm: KvmContext, vcpu: VcpuState, index: number, byHost: boolean): bigint | undefined {
  const row = ROWS.get(index);
  if (row !== undefined) return row.read(kvm, vcpu, byHost);
  if (isX2apic(index)) {
    return vmOf(kvm).irqchip === undefined ? undefined : lapicMsrRead(kvm, vcpu.index, index);
  }
  return isBank(vcpu, index) ? vcpu.msrs.mcBanks[index - FIRST_BANK] : undefined;
}

/** kvm_set_msr: false is #GP. */
export function writeMsr(kvm: KvmContext, vcpu: VcpuState, index: number, value: bigint, byHost: boolean): boolean {
  const row = ROWS.get(index);
  if (row !== undefined) return row.write(kvm, vcpu, value, byHost);
  if (isX2apic(index)) {
    return vmOf(kvm).irqchip !== undefined && lapicMsrWrite(kvm, vcpu.index, index, value);
  }
  return isBank(vcpu, index) && writeBank(kvm, vcpu, index, value, byHost);
}

/** MC0_CTL up to the last bank MCG_CAP counts. */
function isBank(vcpu: VcpuState, index: number): boolean {
  return index >= FIRST_BANK && index < FIRST_BANK + 4 * Number(vcpu.msrs.mcgCap & 0xffn);
}

/** A control takes all ones or zero (bits 10 and 0 aside), a status only zero from the guest. SDM Vol. 3, 16.3.2. */
function writeBank(kvm: KvmContext, vcpu: VcpuState, index: number, value: bigint, byHost: boolean): boolean {
  const kind = (index - FIRST_BANK) & 3;
  if (kind === 0 && value !== 0n && (value | 0x401n) !== ALL_ONES) return false;
  if (kind === 1 && !byHost && value !== 0n) return false;
  setMsr(kvm, vcpu, index, value);
  return true;
}
