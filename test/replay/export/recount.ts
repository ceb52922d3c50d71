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

/** Virtual time before each event: what instructions, exits, trips to user space and idle jumps came to until then. */
function* timesBefore(events: readonly Printed[]): Generator<readonly [Printed, number]> {
  let beside = 0;
  for (const event of events) {
    yield [event, event.tick * NS_PER_TICK + beside];
    if (event.kind === 'kvm_exit') beside += EXIT_NS;
    else if (event.kind === 'kvm_userspace_exit') beside += USER_EXIT_NS;
    else if (event.kind === 'sim:idle_warped') beside = (event['to'] as number) - event.tick * NS_PER_TICK;
  }
}

/**
 * What `retrovisor stat --json` should say, counted from printed events in another way: each processor's exits with
 * the entry that follows, and the samples between them.
 */
export function recount(lines: readonly string[], subject: string, vcpu?: number): Counted[] {
  const keyOf = KEYS[subject]!;
  const byVcpu = new Map<number, (readonly [Printed, number])[]>();
  for (const [event, ns] of timesBefore(lines.map((line) => JSON.parse(line) as Printed))) {
    const of = Number(event['vcpu_id'] ?? /^vcpu(\d+)$/.exec(event.source)?.[1] ?? -1);
    if (vcpu !== undefined && of !== vcpu) continue;
    const own = byVcpu.get(of);
    if (own === undefined) byVcpu.set(of, [[event, ns]]);
    else own.push([event, ns]);
  }
  return sorted([...byVcpu.values()].flatMap((events) => [...exitsOf(events, keyOf)]));
}

interface Sample {
  readonly key: string;
  readonly ticks: number;
  readonly ns: number | undefined;
}

/** The samples of one processor. */
function* exitsOf(
  events: readonly (readonly [Printed, number])[],
  keyOf: (event: Printed) => string | undefined,
): Generator<Sample> {
  for (let at = 0; at < events.length; at += 1) {
    const [exit, from] = events[at]!;
    if (exit.kind !== 'kvm_exit') continue;
    const keys: string[] = [];
    let to: number | undefined;
    for (let next = at; next < events.length; next += 1) {
      const [event, ns] = events[next]!;
      if (next > at && event.kind === 'kvm_exit') break;
      if (event.kind === 'kvm_entry') {
        to = ns;
        break;
      }
      const key = keyOf(event);
      if (key !== undefined) keys.push(key);
    }
    const ns = to === undefined ? undefined : to - from;
    yield* keys.map((key) => ({ key, ticks: exit['ticks'] as number, ns }));
  }
}

function sorted(samples: readonly Sample[]): Counted[] {
  const keys = [...new Set(samples.map(({ key }) => key))];
  const rows = keys.map((key) => {
    const own = samples.filter((sample) => sample.key === key);
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
