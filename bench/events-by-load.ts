import { lastValueFrom, tap } from 'rxjs';
import { type EventKind, openTrace, type Stamped } from '../src/api/index.ts';

/** What a trace tells between two lines of the guest's console. */
export interface Told {
  readonly events: number;
  readonly exits: number;
  readonly userspaceExits: number;
  /** Notifications that reached the device, and messages to a LAPIC. */
  readonly kicks: number;
  readonly interrupts: number;
  /** By kind, most frequent first. */
  readonly kinds: ReadonlyMap<string, number>;
}

const LINE = /BENCH (begin|end) ([^\r\n]*)\r?\n$/;

/** Events of each load of a recorded run, by its name: what came before the first and after the last is left out. */
export async function eventsByLoad(path: string): Promise<ReadonlyMap<string, Told>> {
  const told = new Map<string, Told>();
  let counts = new Map<string, number>();
  await throughMarks(path, {
    event: ({ event: { kind } }) => counts.set(kind, (counts.get(kind) ?? 0) + 1),
    begin: () => {
      counts = new Map();
    },
    end: (name) => told.set(name, summary(counts)),
  });
  return told;
}

/** The ticks at which loads began, by name. */
export async function ticksOfLoads(path: string): Promise<ReadonlyMap<string, number>> {
  const ticks = new Map<string, number>();
  await throughMarks(path, { begin: (name, tick) => ticks.set(name, tick) });
  return ticks;
}

/** Who hears of a run's events, and of the lines the guest prints around its loads. */
interface Marked {
  event?(stamped: Stamped): void;
  begin(name: string, tick: number): void;
  end?(name: string): void;
}

async function throughMarks(path: string, heard: Marked): Promise<void> {
  let line = '';
  const next = (stamped: Stamped): void => {
    heard.event?.(stamped);
    const { event, tick } = stamped;
    if (event.kind !== 'sim:serial_sent') return;
    line += String.fromCharCode(event.byte);
    if (!line.endsWith('\n')) return;
    const [, which, name] = LINE.exec(line) ?? [];
    line = '';
    if (name === undefined) return;
    if (which === 'begin') heard.begin(name, tick);
    else heard.end?.(name);
  };
  await lastValueFrom(openTrace(path).events$.pipe(tap(next)));
}

function summary(counts: ReadonlyMap<string, number>): Told {
  const of = (kind: EventKind): number => counts.get(kind) ?? 0;
  const sum = [...counts.values()].reduce((total, count) => total + count, 0);
  return {
    events: sum,
    exits: of('kvm_exit'),
    userspaceExits: of('kvm_userspace_exit'),
    kicks: of('virtio_queue_notify'),
    interrupts: of('kvm_msi_set_irq'),
    kinds: new Map([...counts].sort(([, left], [, right]) => right - left)),
  };
}
