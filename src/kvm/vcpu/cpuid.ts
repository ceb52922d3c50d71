/** The processor user space may offer its guest (KVM_GET_SUPPORTED_CPUID), and the CPUID instruction. */
import type { CpuidEntry } from '../ioctl/ioctls.ts';

/** What the engine can do beyond the x86-64-v2 level. */
export interface CpuFeatures {
  readonly movbe: boolean;
  readonly bmi1: boolean;
  readonly bmi2: boolean;
  readonly lzcnt: boolean;
  readonly adx: boolean;
  readonly aes: boolean;
  readonly pclmulqdq: boolean;
  readonly sha: boolean;
  readonly gigabytePages: boolean;
  readonly vme: boolean;
  readonly xsaveopt: boolean;
  readonly xsavec: boolean;
  readonly clflushopt: boolean;
  readonly clwb: boolean;
  readonly rdpid: boolean;
  readonly physicalBits: number;
}

/** An engine at the x86-64-v2 level and nothing more. */
export const BASELINE_FEATURES: CpuFeatures = {
  movbe: false,
  bmi1: false,
  bmi2: false,
  lzcnt: false,
  adx: false,
  aes: false,
  pclmulqdq: false,
  sha: false,
  gigabytePages: false,
  vme: false,
  xsaveopt: false,
  xsavec: false,
  clflushopt: false,
  clwb: false,
  rdpid: false,
  physicalBits: 40,
};

/** What the engine of this project can do. Checked beside host processors by `test/oracle/host-cpu`. */
export const ENGINE_FEATURES: CpuFeatures = {
  ...BASELINE_FEATURES,
  movbe: true,
  bmi1: true,
  bmi2: true,
  lzcnt: true,
  adx: true,
  gigabytePages: true,
  clflushopt: true,
  clwb: true,
  rdpid: true,
};

const INDEX_SIGNIFICANT = 1;
const MAX_BASIC = 0xd;
const MAX_EXTENDED = 0x80000008;
/** Family 6, model 106, stepping 6. */
const SIGNATURE = 0x606a6;
const BRAND = 'Intel Xeon Processor (Retrovisor) @ 2.00GHz';

const bits = (...positions: readonly number[]): number => positions.reduce((sum, at) => sum + 2 ** at, 0);
const when = (present: boolean, at: number): number => (present ? 2 ** at : 0);

/** CPUID.1:ECX: SSE3, SSSE3, CX16, PCID, SSE4.1/2, x2APIC, POPCNT, deadline, XSAVE, RDRAND, hypervisor. */
function featureEcx(f: CpuFeatures): number {
  return (
    bits(0, 9, 13, 17, 19, 20, 21, 23, 24, 26, 30, 31) + when(f.movbe, 22) + when(f.pclmulqdq, 1) + when(f.aes, 25)
  );
}

/** CPUID.1:EDX: FPU, DE to CX8, APIC, SEP to PSE36, CLFLUSH, MMX to SSE2. */
function featureEdx(f: CpuFeatures): number {
  return bits(0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26) + when(f.vme, 1);
}

/** CPUID.7.0:EBX: FSGSBASE, TSC_ADJUST, SMEP, ERMS, INVPCID, RDSEED, SMAP. */
function structuredEbx(f: CpuFeatures): number {
  const integer = when(f.bmi1, 3) + when(f.bmi2, 8) + when(f.adx, 19) + when(f.sha, 29);
  return bits(0, 1, 7, 9, 10, 18, 20) + integer + when(f.clflushopt, 23) + when(f.clwb, 24);
}

/** KVM_FEATURE_*: clocks, steal time, PV EOI, unhalt, TLB flush, IPIs, poll control, yield, stable clock. */
const KVM_FEATURES = bits(0, 1, 3, 5, 6, 7, 9, 11, 12, 13, 24);

type Row = readonly [leaf: number, index: number, eax: number, ebx: number, ecx: number, edx: number];

function text(word: string): number {
  return [0, 1, 2, 3].reduce((sum, i) => sum + (word.charCodeAt(i) || 0) * 2 ** (8 * i), 0);
}

function brandRow(leaf: number): Row {
  const from = (leaf - 0x80000002) * 16;
  const words = [0, 4, 8, 12].map((at) => text(BRAND.padEnd(48, '\0').slice(from + at, from + at + 4)));
  return [leaf, 0, words[0]!, words[1]!, words[2]!, words[3]!];
}

function supportedRows(f: CpuFeatures): readonly Row[] {
  return [
    [0, 0, MAX_BASIC, text('Genu'), text('ntel'), text('ineI')],
    [1, 0, SIGNATURE, 0x800, featureEcx(f), featureEdx(f)],
    [2, 0, 0x00feff01, 0xf0, 0, 0],
    [4, 0, 0x121, 0x1c0003f, 0x3f, 1],
    [4, 1, 0x122, 0x1c0003f, 0x3f, 1],
    [4, 2, 0x143, 0x3c0003f, 0xfff, 1],
    [4, 3, 0, 0, 0, 0],
    [5, 0, 0, 0, 0, 0],
    [6, 0, 4, 0, 0, 0],
    [7, 0, 0, structuredEbx(f), bits(2) + when(f.rdpid, 22), bits(26, 27, 29, 31)],
    [0xa, 0, 0, 0, 0, 0],
    [0xb, 0, 0, 0, 0, 0],
    [0xd, 0, 3, 576, 576, 0],
    [0xd, 1, when(f.xsaveopt, 0) + when(f.xsavec, 1) + when(f.xsavec, 2), 0, 0, 0],
    [0x40000000, 0, 0x40000001, text('KVMK'), text('VMKV'), text('M\0\0\0')],
    [0x40000001, 0, KVM_FEATURES, 0, 0, 0],
    [0x80000000, 0, MAX_EXTENDED, 0, 0, 0],
    [0x80000001, 0, 0, 0, bits(0, 8) + when(f.lzcnt, 5), bits(11, 20, 27, 29) + when(f.gigabytePages, 26)],
    brandRow(0x80000002),
    brandRow(0x80000003),
    brandRow(0x80000004),
    [0x80000006, 0, 0, 0, 0x8008040, 0],
    [0x80000007, 0, 0, 0, 0, bits(8)],
    [0x80000008, 0, f.physicalBits | (48 << 8), 0, 0, 0],
  ];
}

const INDEXED = [4, 7, 0xb, 0xd];

/** KVM_GET_SUPPORTED_CPUID. */
export function supportedCpuid(features: CpuFeatures): CpuidEntry[] {
  return supportedRows(features).map(([leaf, index, eax, ebx, ecx, edx]) => ({
    function: leaf,
    index,
    flags: INDEXED.includes(leaf) ? INDEX_SIGNIFICANT : 0,
    eax,
    ebx,
    ecx,
    edx,
  }));
}

/** kvm_find_cpuid_entry_index. */
export function findCpuid(entries: readonly CpuidEntry[], leaf: number, index: number): CpuidEntry | undefined {
  for (const entry of entries) {
    if (entry.function === leaf && ((entry.flags & INDEX_SIGNIFICANT) === 0 || entry.index === index)) return entry;
  }
  return undefined;
}

/** What CPUID answers, and how the answer was found. */
export interface CpuidAnswer {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
  found: boolean;
  usedMaxBasic: boolean;
}

/** kvm_cpuid: look a leaf up as an Intel processor does, before dynamic bits are put in. */
export function lookUpCpuid(entries: readonly CpuidEntry[], leaf: number, index: number): CpuidAnswer {
  const exact = findCpuid(entries, leaf, index);
  const fallback = exact === undefined ? outOfRange(entries, leaf, index) : undefined;
  const entry = exact ?? fallback?.entry;
  const answer = {
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: 0,
    found: exact !== undefined,
    usedMaxBasic: fallback?.entry !== undefined,
  };
  if (entry !== undefined) {
    answer.eax = entry.eax;
    answer.ebx = entry.ebx;
    answer.ecx = entry.ecx;
    answer.edx = entry.edx;
    return answer;
  }
  const effective = fallback === undefined ? leaf : fallback.leaf;
  if (effective === 0xb || effective === 0x1f) {
    const first = findCpuid(entries, effective, 1);
    if (first !== undefined) {
      answer.ecx = index & 0xff;
      answer.edx = first.edx;
    }
  }
  return answer;
}

/** get_out_of_range_cpuid_entry: Intel answers with the highest basic leaf. */
function outOfRange(
  entries: readonly CpuidEntry[],
  leaf: number,
  index: number,
): { leaf: number; entry: CpuidEntry | undefined } | undefined {
  const basic = findCpuid(entries, 0, 0);
  if (basic === undefined) return undefined;
  const hypervisor = leaf >= 0x40000000 && leaf <= 0x4fffffff;
  const base = hypervisor ? (leaf & 0xffffff00) >>> 0 : leaf >= 0xc0000000 ? 0xc0000000 : (leaf & 0x80000000) >>> 0;
  const first = findCpuid(entries, base, 0);
  if (first !== undefined && leaf <= first.eax) return undefined;
  return { leaf: basic.eax, entry: findCpuid(entries, basic.eax, index) };
}
