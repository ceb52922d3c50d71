import { MSR, MSR_AMD, MSR_KVM } from './msrs.ts';

/** Registers of which there are several in a row. SDM Vol. 4, Table 2-2. */
const ROWS: readonly (readonly [first: number, count: number, name: (at: number) => string])[] = [
  [MSR.PMC0, 8, (at) => `PMC${at}`],
  [MSR.PERFEVTSEL0, 8, (at) => `PERFEVTSEL${at}`],
  [MSR.MTRR_PHYSBASE0, 20, (at) => `MTRR_PHYS${at % 2 === 0 ? 'BASE' : 'MASK'}${at >> 1}`],
  [MSR.MTRR_FIX4K_C0000, 8, (at) => `MTRR_FIX4K_${(0xc0000 + at * 0x8000).toString(16).toUpperCase()}`],
  [MSR.MC0_CTL2, 32, (at) => `MC${at}_CTL2`],
  [MSR.MC0_CTL, 4 * 32, (at) => `MC${at >> 2}_${['CTL', 'STATUS', 'ADDR', 'MISC'][at & 3]}`],
];

const NAMES: ReadonlyMap<number, string> = new Map(
  [
    ...[MSR, MSR_AMD].flatMap((table) => Object.entries(table)),
    ...Object.entries(MSR_KVM).map(([name, number]): [string, number] => [`KVM_${name}`, number]),
  ].map(([name, number]) => [number, name]),
);

/** The manual's name of an MSR, without IA32_; those of a row by their number in it. */
export function msrName(index: number): string | undefined {
  for (const [first, count, name] of ROWS) if (index >= first && index < first + count) return name(index - first);
  return NAMES.get(index);
}

/** Every MSR that has a name. */
export const NAMED_MSRS: ReadonlyMap<string, number> = new Map([
  ...ROWS.flatMap(([first, count, name]) =>
    Array.from({ length: count }, (_, at): [string, number] => [name(at), first + at]),
  ),
  ...[...NAMES].map(([number, name]): [string, number] => [name, number]),
]);
