import { onOneLine } from '../base/printable.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { describeDifference, differenceOfTraces, type TraceDifference } from '../replay/trace-difference.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import type { ReadTrace, TraceAccess, TraceReader } from '../replay/trace/reader.ts';
import { statusOfDamage } from './cut.ts';
import type { Print } from './trace-commands.ts';

const DIFFERENT = 3;

interface Side {
  readonly name: string;
  readonly path: string;
  readonly trace: TraceReader;
  readonly read: ReadTrace;
}

const opened = (name: string, path: string, access: TraceAccess): Side => {
  const trace = openTraceFile(path, access);
  return { name, path, trace, read: lazyEvents(trace) };
};

/** `retrovisor diff`: where two runs part, and why. Returns the process status: 0 equal, 3 different. */
export function diff(pathA: string, pathB: string, print: Print, access: TraceAccess = {}): number {
  const a = opened('A', pathA, access);
  const b = opened('B', pathB, access);
  const given = [...differingSubjects(a, b)];
  for (const line of given) print(onOneLine(line));
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
  for (const { name, read, trace } of [a, b]) {
    const damaged = statusOfDamage({ damage: read.damage, cut: trace.cut }, name);
    if (status === 0) status = damaged;
  }
  return status;
}

/** Why two runs give their processors turns of other lengths: what was drawn for each. */
function describeTurns({ a, b }: TraceDifference, sideA: Side, sideB: Side): string[] {
  const [turnA, turnB] = [a?.event, b?.event];
  if (turnA?.kind !== 'sim:thread_switch' || turnB?.kind !== 'sim:thread_switch') return [];
  if (turnA.quantum === turnB.quantum || turnA.draw === 0 || turnB.draw === 0) return [];
  const who = turnA.to === turnB.to ? `vCPU ${turnA.to}` : `vCPU ${turnA.to} in A, ${turnB.to} in B`;
  const when = a?.tick === b?.tick ? `tick ${a?.tick}` : `tick ${a?.tick} in A, ${b?.tick} in B`;
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
