import { EXIT_NAMES } from '../../../src/x86/exit-reasons.ts';
import { msrText } from '../../../src/events/named-numbers.ts';

/** An event as `retrovisor events --json` prints it. */
interface Printed {
  readonly tick: number;
  readonly source: string;
  readonly kind: string;
  readonly [field: string]: unknown;
}

interface Counted {
  key: string;
  samples: number;
  guest_ticks: number;
  guest_least: number;
  guest_most: number;
  handled: number;
  ns: number;
  ns_least: number;
  ns_most: number;
}

/** What a machine without `--cost` and `--ns-per-tick` has: docs/guide.md. */
const NS_PER_TICK = 8;
const EXIT_NS = 600;
const USER_EXIT_NS = 2000;

const hex = (value: unknown): string => `0x${BigInt(value as number | string).toString(16)}`;

const KEYS: Readonly<Record<string, (event: Printed) => string | undefined>> = {
  vmexit: (e) => (e.kind === 'kvm_exit' ? EXIT_NAMES[(e['exit_reason'] as number) & 0xffff] : undefined),
  ioport: (e) => (e.kind === 'kvm_pio' ? `${hex(e['port'])}:${e['rw'] === 1 ? 'POUT' : 'PIN'}` : undefined),
  mmio: (e) =>
    e.kind === 'kvm_mmio' && e['type'] !== 0 ? `${hex(e['gpa'])}:${e['type'] === 2 ? 'W' : 'R'}` : undefined,
  msr: (e) => (e.kind === 'kvm_msr' ? `${msrText(e['ecx'] as number)}:${e['write'] === 1 ? 'W' : 'R'}` : undefined),
  cpuid: (e) => (e.kind === 'kvm_cpuid' ? hex(e['function']) : undefined),
  hypercall: (e) => (e.kind === 'kvm_hypercall' ? hex(e['nr']) : undefined),
};

/** An event as the recount keeps it: what it is a sample of, and the virtual time before it. */
interface Kept {
  readonly kind: string;
  readonly key: string | undefined;
  readonly ticks: number;
  readonly ns: number;
}

/** Kinds that say where the clock stands or what is counted: of a long run the others are too many to be kept. */
export const RECOUNTED = [
  ...['kvm_entry', 'kvm_exit', 'kvm_userspace_exit', 'sim:idle_warped'],
  ...['kvm_pio', 'kvm_mmio', 'kvm_msr', 'kvm_cpuid', 'kvm_hypercall'],
];

/** Each processor's events with the virtual time that instructions, exits and idle jumps came to before each. */
function byProcessor(lines: Iterable<string>, keyOf: (event: Printed) => string | undefined): Map<number, Kept[]> {
  const vcpus = new Map<number, Kept[]>();
  let beside = 0;
  for (const line of lines) {
    const event = JSON.parse(line) as Printed;
    if (!RECOUNTED.includes(event.kind)) continue;
    const of = Number(event['vcpu_id'] ?? /^vcpu(\d+)$/.exec(event.source)?.[1] ?? -1);
    const own = vcpus.get(of) ?? [];
    vcpus.set(of, own);
    const ns = event.tick * NS_PER_TICK + beside;
    own.push({ kind: event.kind, key: keyOf(event), ticks: Number(event['ticks']), ns });
    if (event.kind === 'kvm_exit') beside += EXIT_NS;
    else if (event.kind === 'kvm_userspace_exit') beside += USER_EXIT_NS;
    else if (event.kind === 'sim:idle_warped') beside = (event['to'] as number) - event.tick * NS_PER_TICK;
  }
  return vcpus;
}

/**
 * What `retrovisor stat --json` should say, counted from printed events in another way: each processor's exits with
 * the entry that follows, and the samples between them.
 */
export function recount(lines: Iterable<string>, subject: string, vcpu?: number): Counted[] {
  const vcpus = [...byProcessor(lines, KEYS[subject]!)].filter(([of]) => vcpu === undefined || of === vcpu);
  return sorted(vcpus.flatMap(([, events]) => samplesOf(events)));
}

interface Sample {
  readonly key: string;
  readonly ticks: number;
  readonly ns: number | undefined;
}

/** The samples of one processor, last first: what is met on the way back belongs to the exit that comes next. */
function samplesOf(events: readonly Kept[]): Sample[] {
  const samples: Sample[] = [];
  let entered: number | undefined;
  let keys: string[] = [];
  for (const { kind, key, ticks, ns } of events.toReversed()) {
    if (key !== undefined) keys.push(key);
    if (kind === 'kvm_entry') {
      entered = ns;
      keys = [];
    } else if (kind === 'kvm_exit') {
      const handling = entered === undefined ? undefined : entered - ns;
      samples.push(...keys.map((each) => ({ key: each, ticks, ns: handling })));
      entered = undefined;
      keys = [];
    }
  }
  return samples;
}

function sorted(samples: readonly Sample[]): Counted[] {
  const byKey = new Map<string, Sample[]>();
  for (const sample of samples) {
    const own = byKey.get(sample.key);
    if (own === undefined) byKey.set(sample.key, [sample]);
    else own.push(sample);
  }
  const rows = [...byKey.keys()].map((key) => {
    const own = byKey.get(key) ?? [];
    const ticks = own.map((sample) => sample.ticks);
    const times = own.flatMap(({ ns }) => (ns === undefined ? [] : [ns]));
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), values[0] ?? 0);
    const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
    return {
      ...{ key, samples: own.length, guest_ticks: sum(ticks), guest_least: least(ticks), guest_most: most(ticks) },
      ...{ handled: times.length, ns: sum(times), ns_least: least(times), ns_most: most(times) },
    };
  });
  return rows.sort((a, b) => b.samples - a.samples || (a.key < b.key ? -1 : 1));
}
