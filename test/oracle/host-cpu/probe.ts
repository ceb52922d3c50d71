import { CpuidFeature } from 'iced-x86';
import type { Aside } from '../../stepping-aside.ts';
import { featuresOf } from './catalog.ts';
import { type HelperProcess, runCases } from './native-process.ts';
import { caseOf, type KnownAnswer, ofCode, ofFaults, ofFeatures } from './known-answers.ts';
import { difference, vectorName } from './known-difference.ts';
import type { Bitness, CaseRecord } from './record.ts';

/** What of this host may be compared with: it gave the manual's answers there. */
export interface HostAreas {
  /** What it gets wrong, or cannot do. */
  readonly asides: readonly Aside[];
  /** Why cases of a mode step aside; undefined when they are compared. */
  ofCode(bitness: Bitness): Aside | undefined;
  /** The same for one instruction. */
  ofInstruction(code: Uint8Array, bitness: Bitness): Aside | undefined;
  /** The same for cases that end in a fault. */
  ofFault(vector: number, bitness: Bitness): Aside | undefined;
}

/** Names of areas, separated by commas, whose answers are taken for wrong, or `all`: for tests of stepping aside. */
export const DISAGREEING = 'RETROVISOR_HOST_DISAGREES';

const MODES: readonly Bitness[] = [64, 32, 16];

/** What is asked as one, and what of it steps aside as one. */
interface Area {
  readonly name: string;
  readonly answers: readonly KnownAnswer[];
}

const nameOfCode = (bitness: Bitness): string => `${bitness}-bit code`;
const nameOfFault = (vector: number, bitness: Bitness): string => `${vectorName(vector)} in ${nameOfCode(bitness)}`;
const nameOfFeature = (feature: CpuidFeature, bitness: Bitness): string =>
  `${CpuidFeature[feature]} in ${nameOfCode(bitness)}`;

const areasOf = (bitness: Bitness): Area[] => [
  ...Array.from(ofFaults(bitness), ([vector, answer]) => ({ name: nameOfFault(vector, bitness), answers: [answer] })),
  ...Array.from(ofFeatures(bitness), ([feature, answer]) => ({
    name: nameOfFeature(feature, bitness),
    answers: [answer],
  })),
];

/** Ask the host questions to which the manual gives the answers. */
export function probeHost(helper: HelperProcess, disagreeing = process.env[DISAGREEING] ?? ''): HostAreas {
  const wrong = new Map<string, Aside>();
  const forced = new Set(disagreeing.split(',').map((name) => name.trim()));
  const isForced = (name: string): boolean => forced.has(name) || forced.has('all');
  const probe = (areas: readonly Area[], bitness: Bitness): void => {
    for (const [name, why] of wrongAreas(helper, areas, bitness)) wrong.set(name, { what: name, why, kind: 'host' });
    const said = `${DISAGREEING} says that this host differs.`;
    for (const { name } of areas) if (isForced(name)) wrong.set(name, { what: name, why: said, kind: 'host' });
  };
  for (const bitness of MODES) {
    probe([{ name: nameOfCode(bitness), answers: ofCode(bitness) }], bitness);
    if (!wrong.has(nameOfCode(bitness))) probe(areasOf(bitness), bitness);
  }
  return areasWithout(wrong);
}

function areasWithout(wrong: ReadonlyMap<string, Aside>): HostAreas {
  const ofMode = (bitness: Bitness): Aside | undefined => wrong.get(nameOfCode(bitness));
  const ofFeatures = (code: Uint8Array, bitness: Bitness): Aside | undefined =>
    featuresOf(code, bitness)
      .map((feature) => wrong.get(nameOfFeature(feature, bitness)))
      .find((aside) => aside !== undefined);
  return {
    asides: [...wrong.values()],
    ofCode: ofMode,
    ofInstruction: (code, bitness) => (wrong.size === 0 ? undefined : (ofMode(bitness) ?? ofFeatures(code, bitness))),
    ofFault: (vector, bitness) => ofMode(bitness) ?? wrong.get(nameOfFault(vector, bitness)),
  };
}

/** Areas with a wrong answer, and a sentence about the first. */
function wrongAreas(helper: HelperProcess, areas: readonly Area[], bitness: Bitness): [string, string][] {
  const asked = areas.flatMap(({ answers }) => answers);
  const cases = asked.map((answer) => caseOf(answer, bitness));
  const outcomes = runCases(helper, cases);
  if (typeof outcomes === 'string') {
    if (areas.length > 1) return areas.flatMap((area) => wrongAreas(helper, [area], bitness));
    return areas.map(({ name }) => [name, `The program that runs single instructions ended with ${outcomes} here.`]);
  }
  const outcomeOf = new Map<KnownAnswer, CaseRecord>(asked.map((answer, at) => [answer, outcomes[at]!]));
  return areas.flatMap(({ name, answers }) => {
    const sentences = answers.flatMap((answer) => difference(answer, outcomeOf.get(answer) as CaseRecord, bitness));
    return sentences.slice(0, 1).map((sentence): [string, string] => [name, sentence]);
  });
}
