import { readDescription } from '../../host/machine-description.ts';
import { openTraceFile } from '../../host/trace-file.ts';
import type { Stamped } from '../../events/stamped.ts';
import { describeDifference, differenceOfTraces, type TraceDifference } from '../../replay/trace-difference.ts';
import { lazyEvents } from '../../replay/trace/lazy-events.ts';
import type { ReadTrace, TraceReader } from '../../replay/trace/reader.ts';
import type { Print } from './trace-commands.ts';

const DIFFERENT = 3;
const DAMAGED = 1;

interface Side {
  readonly name: string;
  readonly path: string;
  readonly trace: TraceReader;
  readonly read: ReadTrace;
}

const opened = (name: string, path: string): Side => {
  const trace = openTraceFile(path);
  return { name, path, trace, read: lazyEvents(trace) };
};

/** `retrovisor diff`: where two runs part, and why. Returns the process status: 0 equal, 3 different. */
export function diff(pathA: string, pathB: string, print: Print): number {
  const a = opened('A', pathA);
  const b = opened('B', pathB);
  const given = [...differingSubjects(a, b)];
  for (const line of given) print(line);
  // The state holds the seed's own streams: with another seed no two digests are equal.
  const isOtherSeed = a.trace.header.seed !== b.trace.header.seed;
  const skipped = new Set([
    'sim:powered_on',
    ...(isOtherSeed || given.length > 0 ? ['sim:digest', 'sim:memory_digest'] : []),
  ]);
  const difference = differenceOfTraces({ a: a.read.events, b: b.read.events, skipped });
  if (difference !== undefined) {
    print(describeDifference(difference));
    for (const line of describeTurns(difference, a, b)) print(line);
  } else print(`${Math.max(0, a.read.events.length - 1)} events after power-on agree: the runs do not differ.`);
  let status = difference === undefined ? 0 : DIFFERENT;
  for (const { name, read } of [a, b]) {
    if (read.damage === undefined) continue;
    process.stderr.write(`retrovisor: ${name}: ${read.damage}\n`);
    if (status === 0) status = DAMAGED;
  }
  return status;
}

/** A turn a vCPU was given, and for how long. */
interface Turn {
  readonly vcpu: number;
  /** When it began. */
  readonly tick: number;
  /** Ticks it may last. */
  readonly quantum: number;
  /** Which number of the stream of chance it was, from 1. */
  readonly draw: number;
}

/** The turn under way before an event: the last that was drawn. */
function turnBefore({ events }: ReadTrace, { seq }: Stamped): Turn | undefined {
  for (let at = seq - (events[0]?.seq ?? 0) - 1; at >= 0; at -= 1) {
    const { event, tick } = events[at] as Stamped;
    if (event.kind === 'sim:thread_switch') return { vcpu: event.to, tick, quantum: event.quantum, draw: event.draw };
  }
  return undefined;
}

/** Host interrupt: how an entry ends whose budget was used up. SDM Vol. 3, Appendix C. */
const EXTERNAL_INTERRUPT = 1;

/** Events that end a turn: the budget of a VM entry was used up, or another vCPU is next. */
const isEndOfTurn = (stamped: Stamped | undefined): stamped is Stamped =>
  stamped?.event.kind === 'sim:thread_switch' ||
  (stamped?.event.kind === 'kvm_exit' && stamped.event.exit_reason === EXTERNAL_INTERRUPT);

/** Why two runs give their processors turns of other lengths: what was drawn for each. */
function describeTurns({ a, b, extra }: TraceDifference, sideA: Side, sideB: Side): string[] {
  const [endA, endB] = [a, b].map((stamped) => stamped ?? extra[0]);
  if (endA === undefined || endB === undefined || ![endA, endB].some(isEndOfTurn)) return [];
  const turnA = turnBefore(sideA.read, endA);
  const turnB = turnBefore(sideB.read, endB);
  if (turnA === undefined || turnB === undefined || turnA.quantum === turnB.quantum) return [];
  const who = turnA.vcpu === turnB.vcpu ? `vCPU ${turnA.vcpu}` : `vCPU ${turnA.vcpu} in A, ${turnB.vcpu} in B`;
  const when = turnA.tick === turnB.tick ? `tick ${turnA.tick}` : `tick ${turnA.tick} in A, ${turnB.tick} in B`;
  const draws = turnA.draw === turnB.draw ? `number ${turnA.draw}` : `numbers ${turnA.draw} and ${turnB.draw}`;
  const [seedA, seedB] = [sideA.trace.header.seed, sideB.trace.header.seed];
  return [
    `The cause: a turn of ${turnA.quantum} ticks in A and of ${turnB.quantum} in B, drawn for ${who} at ${when}`,
    `from the random stream 'scheduler' (${draws}; seed ${seedA} in A, ${seedB} in B).`,
  ];
}

/** What the runs were given differently, one line each. */
function* differingSubjects(a: Side, b: Side): Generator<string> {
  for (const { name, path, trace } of [a, b]) {
    const { parent } = trace.header;
    if (parent !== undefined) yield `${name} (${path}) is a fork of ${parent.trace} at ${parent.at}: ${parent.set}`;
  }
  const [left, right] = [a.trace.header, b.trace.header];
  if (left.seed !== right.seed) yield `Seeds differ: ${left.seed} in A, ${right.seed} in B.`;
  const clocks = [a, b].map(({ read }) => {
    const event = read.events[0]?.event;
    return event?.kind === 'sim:powered_on' ? event.wall_clock : 0n;
  });
  if (clocks[0] !== clocks[1]) yield `Wall clocks at power-on differ: ${clocks[0]} ns in A, ${clocks[1]} ns in B.`;
  const [machineA, machineB] = [readDescription(left.machine, a.path), readDescription(right.machine, b.path)];
  for (const name of Object.keys(machineA) as (keyof typeof machineA)[]) {
    if (name === 'paths') continue;
    const [one, other] = [JSON.stringify(machineA[name]), JSON.stringify(machineB[name])];
    if (one !== other) yield `Machines differ in ${name}: ${one} in A, ${other} in B.`;
  }
  for (const image of left.images) {
    const other = right.images.find(({ role }) => role === image.role);
    if (other?.sha256 !== image.sha256) yield `The ${image.role} differs: ${image.name} in A, ${other?.name} in B.`;
  }
}
