import seedrandom from 'seedrandom';
import type { Guest } from '../../../src/x86/guest.ts';
import { type Form, forms } from './catalog.ts';
import { differences, report } from './compare.ts';
import type { Chance } from './encode.ts';
import { generate } from './generate.ts';
import type { Aside } from '../../stepping-aside.ts';
import type { HostCpu } from './host.ts';
import { ourCpu } from './ours.ts';
import { type Bitness, type CaseRecord, DIED, HUNG } from './record.ts';

const BATCH = 4096;
/** Tries without a case after which a form is taken for one the two processors do not share. */
const HOPELESS = 40;

/** What a campaign found. `reports` holds the first mismatch of each form. */
export interface Findings {
  readonly cases: number;
  readonly mismatches: number;
  readonly byForm: ReadonlyMap<string, number>;
  readonly reports: readonly string[];
  /** Forms with a case. */
  readonly tried: number;
  /** Forms without one: features the two processors do not share. */
  readonly untried: readonly string[];
  /** What the host gets wrong and was not compared. */
  readonly asides: readonly Aside[];
}

export interface Plan {
  readonly seed: string;
  readonly cases: number;
  readonly bitness: Bitness;
  /** Only forms whose text matches. */
  readonly only?: RegExp;
}

/** A seeded stream of integers. */
export function chanceOf(seed: string): Chance {
  const random = seedrandom.alea(seed);
  return {
    below: (limit) => Math.floor(random() * limit),
    bits64: () => (BigInt(random.int32() >>> 0) << 32n) | BigInt(random.int32() >>> 0),
  };
}

/** Random cases, every form in turn, on our processor and on the host's. */
export function campaign(plan: Plan, guest: Guest, host: HostCpu): Findings {
  const chance = chanceOf(plan.seed);
  const wanted = forms(plan.bitness).filter((form) => plan.only?.test(form.text) ?? true);
  const counts = new Map<Form, Count>(wanted.map((form) => [form, { tries: 0, cases: 0 }]));
  const ours = ourCpu(guest);
  const byForm = new Map<string, number>();
  const reports: string[] = [];
  const asides = new Asides(host, plan.bitness);
  let cases = 0;
  while (cases < plan.cases && asides.ofMode() === undefined) {
    const batch = makeBatch(counts, plan, chance, Math.min(BATCH, plan.cases - cases), asides);
    if (batch.length === 0) break;
    const expected = host.run(batch.map(([, record]) => record));
    batch.forEach(([form, before], i) => {
      const after = ours.run(before);
      if (asides.ofOutcome(form, after, expected[i]!)) return;
      const lines = differences(before, after, expected[i]!);
      if (lines.length === 0) return;
      if (!byForm.has(form.text)) reports.push(report(before, lines));
      byForm.set(form.text, (byForm.get(form.text) ?? 0) + 1);
    });
    cases += batch.length;
  }
  const untried = [...counts].filter(([, count]) => count.cases === 0).map(([form]) => form.text);
  const mismatches = [...byForm.values()].reduce((a, b) => a + b, 0);
  const tried = counts.size - untried.length;
  return { cases, mismatches, byForm, reports, tried, untried, asides: asides.met };
}

/** What of one campaign steps aside. */
class Asides {
  readonly #met = new Map<string, Aside>();
  readonly #host: HostCpu;
  readonly #bitness: Bitness;
  #unanswered = 0;

  constructor(host: HostCpu, bitness: Bitness) {
    this.#host = host;
    this.#bitness = bitness;
  }

  get met(): Aside[] {
    return [...this.#met.values()];
  }

  #meet(aside: Aside | undefined): Aside | undefined {
    if (aside !== undefined) this.#met.set(aside.what, aside);
    return aside;
  }

  ofMode(): Aside | undefined {
    return this.#meet(this.#host.areas.ofCode(this.#bitness));
  }

  ofCase({ code, bitness }: CaseRecord): Aside | undefined {
    return this.#meet(this.#host.areas.ofInstruction(code, bitness));
  }

  /** A case that ends, here or there, as the host does not end cases, or to which it has no answer. */
  ofOutcome(form: Form, ours: CaseRecord, host: CaseRecord): Aside | undefined {
    if (host.vector === DIED || (host.vector === HUNG && ours.vector !== HUNG)) {
      this.#unanswered += 1;
      const why = `This host had no answer to ${this.#unanswered} of them, ${form.text} the last.`;
      return this.#meet({ what: `some cases of ${this.#bitness}-bit code`, why, kind: 'host' });
    }
    const { areas } = this.#host;
    return this.#meet(areas.ofFault(host.vector, this.#bitness) ?? areas.ofFault(ours.vector, this.#bitness));
  }
}

interface Count {
  tries: number;
  cases: number;
}

function makeBatch(
  counts: Map<Form, Count>,
  plan: Plan,
  chance: Chance,
  size: number,
  asides: Asides,
): [Form, CaseRecord][] {
  const batch: [Form, CaseRecord][] = [];
  let list = [...counts].filter(([, count]) => count.cases > 0 || count.tries < HOPELESS);
  for (let attempts = 0; batch.length < size && list.length > 0; attempts++) {
    if (attempts % size === size - 1) list = list.filter(([, count]) => count.cases > 0 || count.tries < HOPELESS);
    const [form, count] = list[chance.below(list.length)]!;
    count.tries++;
    const record = generate(form, plan.bitness, chance);
    if (record === undefined || asides.ofCase(record) !== undefined) continue;
    count.cases++;
    batch.push([form, record]);
  }
  return batch;
}
