/** Where QEMU's feature names stand in CPUID. QEMU target/i386/cpu.c, feature_word_info; SDM Vol. 2A, CPUID. */

/** One bit of CPUID. */
export interface FeatureBit {
  readonly leaf: number;
  readonly index: number;
  readonly register: 'eax' | 'ebx' | 'ecx' | 'edx';
  readonly bit: number;
}

/** Names of one register's bits from bit 0 up; '-' has no name. */
const WORDS: readonly (readonly [leaf: number, index: number, register: FeatureBit['register'], names: string])[] = [
  [
    1,
    0,
    'edx',
    'fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov ' +
      'pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe',
  ],
  [
    1,
    0,
    'ecx',
    'pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm ' +
      '- pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave - avx f16c rdrand hypervisor',
  ],
  [
    7,
    0,
    'ebx',
    'fsgsbase tsc-adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm - - mpx - ' +
      'avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt - - - sha-ni - -',
  ],
  [7, 0, 'ecx', '- avx512vbmi umip pku - waitpkg - - gfni vaes vpclmulqdq - - - - - la57 - - - - - rdpid'],
  [
    7,
    0,
    'edx',
    '- - - - fsrm - - - - - md-clear - - - serialize - - - - - - - - - - - spec-ctrl stibp - arch-capabilities',
  ],
  [0xd, 1, 'eax', 'xsaveopt xsavec xgetbv1 xsaves'],
  [0x80000001, 0, 'edx', '- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr-opt pdpe1gb rdtscp - lm'],
  [0x80000001, 0, 'ecx', 'lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw'],
  [0x80000007, 0, 'edx', '- - - - - - - - invtsc'],
  [
    0x40000001,
    0,
    'eax',
    'kvmclock kvm-nopiodelay - - kvm-asyncpf kvm-steal-time kvm-pv-eoi kvm-pv-unhalt - kvm-pv-tlb-flush ' +
      '- kvm-pv-ipi kvm-poll-control kvm-pv-sched-yield kvm-asyncpf-int - - - - - - - - - kvmclock-stable-bit',
  ],
];

/** Bit 31 of 7.0:EDX and the second bit of kvmclock, which share a name or stand alone. */
const OTHERS: readonly (readonly [name: string, bit: FeatureBit])[] = [
  ['ssbd', { leaf: 7, index: 0, register: 'edx', bit: 31 }],
  ['kvmclock', { leaf: 0x40000001, index: 0, register: 'eax', bit: 3 }],
];

/** Other spellings QEMU takes. */
const ALIASES: Readonly<Record<string, string>> = {
  sse3: 'pni',
  'sse4-1': 'sse4.1',
  'sse4-2': 'sse4.2',
  i64: 'lm',
  xd: 'nx',
  ffxsr: 'fxsr-opt',
  pclmuldq: 'pclmulqdq',
};

function table(): ReadonlyMap<string, readonly FeatureBit[]> {
  const found = new Map<string, FeatureBit[]>();
  const add = (name: string, bit: FeatureBit): void => {
    found.set(name, [...(found.get(name) ?? []), bit]);
  };
  for (const [leaf, index, register, names] of WORDS) {
    names.split(' ').forEach((name, bit) => {
      if (name !== '-') add(name, { leaf, index, register, bit });
    });
  }
  for (const [name, bit] of OTHERS) add(name, bit);
  return found;
}

const FEATURES = table();

/** All features QEMU has a name for here. */
export const featureNames = (): string[] => [...FEATURES.keys()];

/** A feature's bits; undefined when no feature is called so. Underscores stand for hyphens, as in QEMU. */
export function featureBits(name: string): readonly FeatureBit[] | undefined {
  const plain = name.replaceAll('_', '-');
  return FEATURES.get(ALIASES[plain] ?? plain);
}
