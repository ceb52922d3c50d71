import type { CpuidEntry } from '../../kvm/ioctl/ioctls.ts';

/** EAX and EDX of CPUID leaf 1: what SMBIOS calls the processor's ID. */
export type ProcessorId = readonly [eax: number, edx: number];

/** What one vCPU is told of itself: all KVM supports, with its place among the others. SDM Vol. 2, CPUID. */
export function cpuidOf(supported: readonly CpuidEntry[], id: number, cpus: number): CpuidEntry[] {
  const entries: CpuidEntry[] = [];
  const shift = Math.ceil(Math.log2(cpus));
  for (const entry of supported) {
    if (entry.function === 0x0b || entry.function === 0x1f) {
      if (entry.index === 0) entries.push(...topology(entry.function, id, cpus, shift));
    } else entries.push(placed(entry, id, cpus, shift));
  }
  return entries;
}

function placed(entry: CpuidEntry, id: number, cpus: number, shift: number): CpuidEntry {
  switch (entry.function) {
    case 0x01: {
      const siblings = cpus > 1 ? cpus << 16 : 0;
      const ebx = ((entry.ebx & 0xffff) | siblings | (id << 24)) >>> 0;
      return { ...entry, ebx, edx: withHyperThreading(entry.edx, cpus) };
    }
    case 0x04:
      return { ...entry, eax: ((entry.eax & 0x03ffffff) | (((1 << shift) - 1) << 26)) >>> 0 };
    case 0x80000008:
      return { ...entry, ecx: cpus > 1 ? (shift << 12) | (cpus - 1) : 0 };
    default:
      return entry;
  }
}

/** EDX of leaf 1 with HTT: whether EBX counts the processors of the package. */
export const withHyperThreading = (edx: number, cpus: number): number => (cpus > 1 ? edx | HTT : edx & ~HTT) >>> 0;

/** Extended topology: one thread a core, all cores in one package. SDM Vol. 2, CPUID leaf 0BH. */
function topology(leaf: number, id: number, cpus: number, shift: number): CpuidEntry[] {
  const level = (index: number, eax: number, ebx: number, type: number): CpuidEntry => ({
    function: leaf,
    index,
    flags: INDEX_SIGNIFICANT,
    eax,
    ebx,
    ecx: index | (type << 8),
    edx: id,
  });
  return [level(0, 0, 1, SMT), level(1, shift, cpus, CORE), level(2, 0, 0, 0)];
}

const HTT = 1 << 28;
const INDEX_SIGNIFICANT = 1;
const SMT = 1;
const CORE = 2;
