import { Problem } from '../../base/problem.ts';
import type { CpuidEntry } from '../../kvm/ioctl/ioctls.ts';
import { type FeatureBit, featureBits, featureNames } from './features.ts';

/** What `-cpu` asks for. */
export interface CpuModel {
  /** `undefined`: all that KVM supports. */
  readonly features: readonly string[] | undefined;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** CPUID.1:EAX. */
  readonly signature: number | undefined;
  readonly vendor: string | undefined;
  readonly modelId: string | undefined;
  readonly physicalBits: number | undefined;
  /** A feature that is asked for and not there is an error. */
  readonly enforce: boolean;
}

interface NamedModel {
  readonly features: string | undefined;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  readonly modelId: string | undefined;
}

const HOST: NamedModel = { features: undefined, family: 0, model: 0, stepping: 0, modelId: undefined };
/** QEMU's PPRO_FEATURES with MTRR, CLFLUSH, MCA and PSE36. */
const PLAIN =
  'fpu de pse tsc msr mce cx8 pge cmov pat fxsr mmx sse sse2 pae sep apic mtrr clflush mca pse36 pni lm syscall nx';
const VIRTUAL_CPU = 'QEMU Virtual CPU version 2.5+';

/** QEMU's built-in models that a unit test or a person asks for. QEMU target/i386/cpu.c, builtin_x86_defs. */
const MODELS: Readonly<Record<string, NamedModel>> = {
  host: HOST,
  max: HOST,
  base: { features: '', family: 0, model: 0, stepping: 0, modelId: undefined },
  qemu64: { features: `${PLAIN} cx16 lahf-lm svm`, family: 15, model: 107, stepping: 1, modelId: VIRTUAL_CPU },
  kvm64: { features: `${PLAIN} vme cx16`, family: 15, model: 6, stepping: 1, modelId: 'Common KVM processor' },
  Opteron_G1: {
    features: `${PLAIN} vme`,
    family: 15,
    model: 6,
    stepping: 1,
    modelId: 'AMD Opteron 240 (Gen 1 Class Opteron)',
  },
};

/** What QEMU adds to every built-in model when KVM runs it (kvm_default_props), and the hypervisor bit. */
const WITH_KVM =
  'x2apic kvmclock kvm-nopiodelay kvm-asyncpf kvm-steal-time kvm-pv-eoi kvmclock-stable-bit hypervisor'.split(' ');

/** Properties that change nothing here. */
const IGNORED = ['check', 'migratable', 'host-phys-bits', 'host-cache-info', 'pmu', 'l3-cache'];

const SIGNATURE = 0xffff_ffff;

/** Understand `-cpu MODEL[,+FEATURE][,-FEATURE][,NAME=VALUE]`. Throws a Problem naming the first thing wrong. */
export function parseCpuModel(text: string): CpuModel {
  const [name = '', ...properties] = text.split(',');
  const named = MODELS[name];
  if (named === undefined) {
    throw new Problem(`-cpu ${text}: there is no model ${name}. There are ${Object.keys(MODELS).join(', ')}.`);
  }
  const added: string[] = [];
  const removed: string[] = [];
  const values = new Map<string, string>();
  let enforce = false;
  for (const property of properties) {
    const sign = property[0];
    const [key = '', value] = (sign === '+' || sign === '-' ? property.slice(1) : property).split('=');
    if (featureBits(key) !== undefined) {
      const isOn = sign === '+' || (sign !== '-' && (value === undefined || value === 'on'));
      (isOn ? added : removed).push(key);
    } else if (key === 'enforce') enforce = value !== 'off';
    else if (VALUES.includes(key) && value !== undefined) values.set(key, value);
    else if (!IGNORED.includes(key)) throw new Problem(`-cpu ${text}: there is no feature or property ${key}.`);
  }
  return {
    features: named.features === undefined ? undefined : [...named.features.split(' ').filter(Boolean), ...WITH_KVM],
    added,
    removed,
    signature: signatureOf(named, values, text),
    vendor: vendorOf(values.get('vendor'), text),
    modelId: values.get('model-id') ?? named.modelId,
    physicalBits: values.has('phys-bits') ? numberOf(values.get('phys-bits')!, text) : undefined,
    enforce,
  };
}

const VALUES = ['vendor', 'family', 'model', 'stepping', 'model-id', 'phys-bits'];

function numberOf(value: string, text: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0) throw new Problem(`-cpu ${text}: ${value} is not a number.`);
  return number;
}

function vendorOf(vendor: string | undefined, text: string): string | undefined {
  if (vendor !== undefined && vendor.length !== 12) throw new Problem(`-cpu ${text}: a vendor has 12 letters.`);
  return vendor;
}

/** Family, model and stepping as CPUID.1:EAX gives them. SDM Vol. 2A, CPUID, Figure 3-6. */
function signatureOf(named: NamedModel, values: ReadonlyMap<string, string>, text: string): number | undefined {
  const asked = ['family', 'model', 'stepping'].some((key) => values.has(key));
  if (named.features === undefined && !asked) return undefined;
  const field = (key: 'family' | 'model' | 'stepping'): number =>
    values.has(key) ? numberOf(values.get(key)!, text) : named[key];
  const family = field('family');
  const model = field('model');
  const extended = family > 15 ? (15 << 8) | ((family - 15) << 20) : family << 8;
  return (extended | ((model & 15) << 4) | ((model >>> 4) << 16) | field('stepping')) & SIGNATURE;
}

type Words = Record<'eax' | 'ebx' | 'ecx' | 'edx', number>;

/** The supported CPUID with only what the model has. A feature KVM does not support cannot be added. */
export function modelCpuid(supported: readonly CpuidEntry[], model: CpuModel | undefined): CpuidEntry[] {
  if (model === undefined) return [...supported];
  const { features, added, removed } = model;
  const wanted = new Set([...(features ?? featureNames()), ...added]);
  for (const name of removed) wanted.delete(name);
  const off = featureNames().filter((name) => !wanted.has(name));
  const kept = new Set([...wanted].flatMap(bitKeys));
  const cleared = off.flatMap((name) => featureBits(name) ?? []).filter((bit) => !kept.has(keyOf(bit)));
  return supported.map((entry) => {
    const words: Words = { eax: entry.eax, ebx: entry.ebx, ecx: entry.ecx, edx: entry.edx };
    for (const { leaf, index, register, bit } of cleared) {
      if (leaf === entry.function && index === entry.index) words[register] = (words[register] & ~(1 << bit)) >>> 0;
    }
    rename(entry.function, words, model);
    return { ...entry, ...words };
  });
}

/** Features a model asks for by name that KVM does not support: they stay off. */
export function missingFeatures(supported: readonly CpuidEntry[], { added, removed }: CpuModel): string[] {
  const isThere = ({ leaf, index, register, bit }: FeatureBit): boolean =>
    supported.some((e) => e.function === leaf && e.index === index && ((e[register] >>> bit) & 1) !== 0);
  return added.filter((name) => !removed.includes(name) && !(featureBits(name) ?? []).every(isThere));
}

const keyOf = (bit: { leaf: number; index: number; register: string; bit: number }): string =>
  `${bit.leaf}.${bit.index}.${bit.register}.${bit.bit}`;
const bitKeys = (name: string): string[] => (featureBits(name) ?? []).map(keyOf);

function rename(leaf: number, words: Words, { vendor, signature, modelId, physicalBits }: CpuModel): void {
  if ((leaf === 0 || leaf === 0x80000000) && vendor !== undefined) {
    words.ebx = letters(vendor, 0);
    words.edx = letters(vendor, 4);
    words.ecx = letters(vendor, 8);
  }
  if (leaf === 1 && signature !== undefined) words.eax = signature;
  if (leaf >= 0x80000002 && leaf <= 0x80000004 && modelId !== undefined) {
    const text = modelId.padEnd(48, '\0').slice((leaf - 0x80000002) * 16);
    (['eax', 'ebx', 'ecx', 'edx'] as const).forEach((register, at) => {
      words[register] = letters(text, 4 * at);
    });
  }
  if (leaf === 0x80000008 && physicalBits !== undefined) words.eax = (words.eax & ~0xff) | physicalBits;
}

function letters(text: string, at: number): number {
  return [3, 2, 1, 0].reduce((word, i) => word * 256 + text.charCodeAt(at + i), 0);
}
