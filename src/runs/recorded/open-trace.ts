import { map, type Observable, Subject, takeUntil } from 'rxjs';
import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { powerOn } from '../../reducers/power-on.ts';
import { seal } from '../../reducers/seal.ts';
import type { MachineState } from '../../reducers/state.ts';
import { foldOn, stateAfter } from '../../replay/fold.ts';
import { Gate } from '../../replay/streams/hold.ts';
import { shown } from '../../replay/streams/shown.ts';
import { statesOf } from '../../replay/streams/states.ts';
import { traceEvents } from '../../replay/streams/trace-events.ts';
import { inOrder } from '../../replay/trace/in-order.ts';
import type { Timeline } from '../../replay/timeline.ts';
import type { Parent } from '../../replay/trace/header.ts';
import { configurationOf, type MachineDescription, readDescription } from '../machine/machine-description.ts';
import { type EventMark, momentAt } from '../moment.ts';
import type { Opened, RunDescription } from '../opened.ts';
import type { ImagePaths } from '../machine/images.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline, refuseOlder } from './recorded-run.ts';
import type { World } from '../world.ts';
import { openTraceFile, type TraceFile } from './trace-file.ts';

/** How a trace is opened. */
export interface OpenTraceOptions {
  /** Where the images are, if no longer where they were. Only registers and memory need them. */
  readonly images?: ImagePaths;
  /** Take what there is of a trace whose recorder did not end for the whole: its streams end without an error. */
  readonly acceptCut?: boolean;
}

/** What a trace says about itself. */
export interface TraceDescription extends RunDescription {
  readonly path: string;
  readonly formatVersion: number;
  /** Version of Retrovisor that wrote it. */
  readonly engineVersion: string;
  /** Events in what can be reached of it. */
  readonly events: number;
  /** The run it is a fork of. */
  readonly parent: Parent | undefined;
  /** Why it ends early, as far as that is known before all is read. */
  readonly damage: string | undefined;
  /** That its recorder did not end, whether that is accepted or not. */
  readonly cut: string | undefined;
}

/** A recorded run. Its streams begin at the first event for each subscriber, and end with the last. */
export interface OpenedTrace extends Opened {
  describe(): TraceDescription;
}

/**
 * Open a trace: events and states without its images. Throws a Problem when it is no trace. States are of this
 * version's traces; the events of an older one can be read too.
 */
export function openTrace(world: World, path: string, options: OpenTraceOptions = {}): OpenedTrace {
  const { images = {}, acceptCut = false } = options;
  const file = openTraceFile(world, path, { acceptCut });
  const machine = described(path, file);
  const gate = new Gate();
  const closed = new Subject<void>();
  const events: Observable<Stamped> = traceEvents(file, gate).pipe(takeUntil(closed));
  const states = new RecordedStates(path, file, machine);
  let recorded: RecordedTimeline | undefined;
  const standing = (): Timeline => {
    recorded ??= openTimeline(openRecordedRun(world, path, { ...images, acceptCut }));
    return recorded.timeline;
  };
  return {
    events$: events.pipe(map(shown)),
    states$: statesOf(events, (first) => stateAfter(states.first, first)),
    at: (mark) => momentAt(mark, states.at(mark), standing),
    hold: () => gate.hold(),
    describe: () => describe(path, file, machine),
    close() {
      closed.next();
      file.close();
      recorded?.close();
    },
  };
}

/** The machine; with the file closed when it cannot be one. */
function described(path: string, file: TraceFile): MachineDescription {
  try {
    return readDescription(file.header.machine, path);
  } catch (problem) {
    file.close();
    throw problem;
  }
}

function describe(path: string, file: TraceFile, machine: MachineDescription): TraceDescription {
  const { header, damage, cut, eventCount, version } = file;
  const { images, seed, engineVersion, parent } = header;
  return {
    path,
    machine,
    images,
    seed,
    engineVersion,
    formatVersion: version,
    events: eventCount,
    parent,
    damage,
    cut,
  };
}

const STATES_KEPT = 64;

/** States of a recorded run, by folding its events. Those asked for are kept: what comes after them is nearer then. */
class RecordedStates {
  private readonly path: string;
  private readonly file: TraceFile;
  private readonly machine: MachineDescription;
  private readonly kept: MachineState[] = [];
  private start: MachineState | undefined;

  constructor(path: string, file: TraceFile, machine: MachineDescription) {
    this.path = path;
    this.file = file;
    this.machine = machine;
  }

  /** Before the first event. */
  get first(): MachineState {
    refuseOlder(this.path, this.file);
    this.start ??= seal(undefined, powerOn(configurationOf(this.machine)));
    return this.start;
  }

  at({ seq }: EventMark): MachineState {
    let from = this.first;
    for (const state of this.kept) if (state.at.seq <= seq && state.at.seq > from.at.seq) from = state;
    if (from.at.seq === seq) return from;
    const state = foldOn(from, inOrder(this.file, from.at.seq + 1), seq);
    if (state.at.seq !== seq) throw new Problem(`${this.path} has no event ${seq}: the last is ${state.at.seq}.`);
    if (this.kept.push(state) > STATES_KEPT) this.kept.shift();
    return state;
  }
}
