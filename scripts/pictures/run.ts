/** A recorded run at a glance: what of it happened when, and what the guest printed meanwhile. */
import { lastValueFrom } from 'rxjs';
import { toArray } from 'rxjs/operators';
import { EXIT_REASONS, openTrace, type Stamped } from '../../src/api/index.ts';
import { box, label, picture } from './svg.ts';

interface Lane {
  readonly title: string;
  readonly colour: string;
  holds(stamped: Stamped): boolean;
}

const ofKind =
  (...kinds: readonly string[]) =>
  ({ event }: Stamped): boolean =>
    kinds.includes(event.kind);

const exitFor =
  (...reasons: readonly string[]) =>
  ({ event }: Stamped): boolean =>
    event.kind === 'kvm_exit' && reasons.includes(EXIT_REASONS[event.exit_reason] ?? '');

const LANES: readonly Lane[] = [
  { title: 'VM exits: port I/O', colour: '#2b6ca3', holds: exitFor('IO_INSTRUCTION') },
  { title: 'VM exits: EPT', colour: '#7b4ea3', holds: exitFor('EPT_VIOLATION', 'EPT_MISCONFIG') },
  { title: 'VM exits: MSR', colour: '#2f8f6b', holds: exitFor('MSR_WRITE', 'MSR_READ') },
  { title: 'page tables (EPT)', colour: '#7b4ea3', holds: ofKind('kvm_tdp_mmu_spte_changed') },
  {
    title: "a device's registers",
    colour: '#b5651d',
    holds: ofKind('memory_region_ops_write', 'memory_region_ops_read'),
  },
  { title: 'timers', colour: '#555555', holds: ofKind('sim:timer_fire') },
  { title: 'interrupts taken', colour: '#c0392b', holds: ofKind('kvm_inj_virq') },
];

const LEFT = 150;
const RIGHT = 30;
const TOP = 30;
const LANE = 26;
const WIDTH = 960;
const CONSOLE_LINES = 10;

/** The picture of a trace, from its first event to its last. */
export async function drawRun(path: string): Promise<string> {
  const trace = openTrace(path);
  const events = await lastValueFrom(trace.events$.pipe(toArray()));
  trace.close();
  const last = Math.max(1, events.length - 1);
  const x = (seq: number): number => Math.round(LEFT + (seq / last) * (WIDTH - LEFT - RIGHT - 1));
  const ticks = (events.at(-1)?.tick ?? 0).toString();
  const extent = `${events.length.toString()} events, ${ticks} guest instructions`;
  const height = TOP + LANES.length * LANE + CONSOLE_LINES * 15 + 40;
  return picture('A recorded run of our own guest', WIDTH, height, [
    ...LANES.flatMap((lane, index) => laneOf(lane, index, events, x)),
    label(extent, { x: LEFT, y: 18, size: 11, colour: '#666' }),
    ...consoleOf(events, TOP + LANES.length * LANE + 24),
  ]);
}

function laneOf(
  { title, colour, holds }: Lane,
  index: number,
  shown: readonly Stamped[],
  x: (seq: number) => number,
): string[] {
  const y = TOP + index * LANE;
  const places = [...new Set(shown.filter(holds).map(({ seq }) => x(seq)))];
  return [
    box(LEFT, y, WIDTH - LEFT - RIGHT, LANE - 4, index % 2 === 0 ? '#f6f8fa' : '#eef1f4'),
    label(title, { x: LEFT - 8, y: y + 15, anchor: 'end' }),
    ...stretches(places).map(([from, to]) => box(from, y + 3, to - from + 1, LANE - 10, colour)),
  ];
}

/** Neighbouring columns as one, the first and last of each. */
function stretches(places: readonly number[]): (readonly [number, number])[] {
  const all: [number, number][] = [];
  for (const at of places) {
    const last = all.at(-1);
    if (last !== undefined && at <= last[1] + 1) last[1] = at;
    else all.push([at, at]);
  }
  return all;
}

function consoleOf(shown: readonly Stamped[], top: number): string[] {
  const bytes = shown.flatMap(({ event }) => (event.kind === 'sim:serial_sent' ? [event.byte] : []));
  const lines = String.fromCharCode(...bytes)
    .split('\n')
    .filter((text) => text.trim() !== '')
    .slice(0, CONSOLE_LINES);
  return [
    label('COM1', { x: LEFT - 8, y: top, anchor: 'end' }),
    ...lines.map((text, index) => label(text.trimEnd(), { x: LEFT, y: top + index * 15, font: 'monospace' })),
  ];
}
