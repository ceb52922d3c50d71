import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { createMachine } from '../../machine/machine.ts';
import type { PayloadSource } from '../../memory/payloads.ts';
import { createTimeline, type Timeline } from '../../replay/timeline.ts';
import { lazyEvents } from '../../replay/trace/lazy-events.ts';
import type { ReadTrace, TraceAccess, TraceReader } from '../../replay/trace/reader.ts';
import { FORMAT_VERSION } from '../../replay/trace/writer.ts';
import { traceInputs } from '../../replay/trace/trace-inputs.ts';
import { createVerifier, inputsAgain, type Verifier } from '../../replay/verify.ts';
import { assemble } from '../machine/assemble.ts';
import { type Disks, recordedDisks } from '../machine/disks.ts';
import { type ImagePaths, type Images, namesImages, outlinedImages, recordedImages } from '../machine/images.ts';
import { type MachineDescription, readDescription } from '../machine/machine-description.ts';
import { openStoredCheckpoints } from './stored-checkpoints.ts';
import type { World } from '../world.ts';
import { openTraceFile, type TraceFile } from './trace-file.ts';

/** How a recorded run is opened. */
export interface RunAccess extends ImagePaths, TraceAccess {}

/** Everything a trace says about its run, and the bytes it was made from. */
export interface RecordedRun {
  readonly world: World;
  readonly path: string;
  readonly trace: TraceFile;
  readonly read: ReadTrace;
  readonly description: MachineDescription;
  readonly images: Images;
  /** Absent: what drives hold is not known. */
  readonly disks: Disks | undefined;
  /** Read from the trace when they are asked for. */
  readonly payloads: PayloadSource;
  readonly seed: string;
  readonly wallClockAtPowerOn: bigint;
}

/** Open a trace with its images, ready to be built again. */
export function openRecordedRun(world: World, path: string, given: RunAccess): RecordedRun {
  return opened(world, path, given, (trace, description) => found(world, path, trace, description, given));
}

/** What a run was made from. */
type Found = Pick<RecordedRun, 'images' | 'disks'>;

function found(
  world: World,
  path: string,
  { header, blocks }: TraceReader,
  { paths, drives = [] }: MachineDescription,
  given: ImagePaths,
): Found {
  const images = recordedImages(world, path, header.images, paths, given);
  if (drives.length === 0) return { images, disks: undefined };
  const search = { trace: path, drives, paths, blocks: blocks(), among: given.image ?? [] };
  return { images, disks: recordedDisks(world, search) };
}

/** Open a trace for a rerun, which needs no image unless one is given or the trace is too old to keep their headers. */
export function openRunWithoutImages(world: World, path: string, given: RunAccess): RecordedRun {
  return opened(world, path, given, (trace, description) => {
    const images = namesImages(given) ? undefined : outlinedImages(trace.header.images);
    return images === undefined ? found(world, path, trace, description, given) : { images, disks: undefined };
  });
}

function opened(
  world: World,
  path: string,
  access: TraceAccess,
  find: (trace: TraceReader, description: MachineDescription) => Found,
): RecordedRun {
  const trace = openTraceFile(world, path, access);
  try {
    refuseOlder(path, trace);
    const read = lazyEvents(trace);
    const first = read.events[0]?.event;
    if (first?.kind !== 'sim:powered_on') {
      throw new Problem(read.damage ?? trace.cut ?? `${path} holds no event: there is nothing to replay.`);
    }
    const description = readDescription(trace.header.machine, path);
    const made = find(trace, description);
    const payloads = { payload: (sha256: string) => trace.payloads.payload(sha256, world.sha256) };
    const { seed, wall_clock: wallClockAtPowerOn } = first;
    return { world, path, trace, read, description, ...made, payloads, seed, wallClockAtPowerOn };
  } catch (problem) {
    trace.close();
    throw problem;
  }
}

/** The first format whose events are all that happen. */
const OLDEST_RUN_AGAIN = 2;

/** Events of an older format are not all that happens today: nothing can be compared with them. */
export function refuseOlder(path: string, { version, header }: TraceReader): void {
  if (version >= OLDEST_RUN_AGAIN) return;
  throw new Problem(
    `${path} is in trace format ${version}, written by Retrovisor ${header.engineVersion}: \`info\`, \`events\` and ` +
      `\`stat\` read it; to run it again takes that version, or a new recording (format ${FORMAT_VERSION}).`,
  );
}

/** A recorded run one can stand in, with every event compared as it is run again. */
export interface RecordedTimeline {
  readonly run: RecordedRun;
  readonly events: readonly Stamped[];
  readonly timeline: Timeline;
  readonly verifier: Verifier;
  /** Close the files. Nothing can be read any more. */
  close(): void;
}

/** How a recorded run is opened to be stood in. */
export interface TimelineSetting {
  /** Most bytes the checkpoints may hold. */
  readonly heldBytes?: number;
  /** Ticks between checkpoints. */
  readonly every?: number;
  /** Use the checkpoints beside the trace, and hear why they cannot be used, if they cannot. */
  readonly onStoredProblem?: (sentence: string) => void;
}

/** The checkpoints beside a trace, if they lie within what is recorded. */
function storedOf({ world, path, read }: RecordedRun, say: (sentence: string) => void) {
  const stored = openStoredCheckpoints(world, path, say);
  const last = stored?.places.at(-1);
  if (stored === undefined || last === undefined) return stored;
  const { seq, tick } = read.events[read.events.length - 1]!;
  if (last.tick <= tick && last.seq <= seq + 1) return stored;
  stored.close();
  say(`The checkpoints beside ${path} go beyond its end. They cannot be used; \`retrovisor index\` makes them anew.`);
  return undefined;
}

/** Stand at the beginning of a recorded run. */
export function openTimeline(run: RecordedRun, setting: TimelineSetting = {}): RecordedTimeline {
  const { events } = run.read;
  const { every, heldBytes, onStoredProblem } = setting;
  const verifier = createVerifier(events);
  const stored = onStoredProblem === undefined ? undefined : storedOf(run, onStoredProblem);
  const inputs = stored?.inputs ?? traceInputs(run.trace, events.length, run.description);
  const close = (): void => {
    stored?.close();
    run.trace.close();
  };
  const timeline = createTimeline({
    ...(every === undefined ? {} : { every }),
    ...(heldBytes === undefined ? {} : { heldBytes }),
    ...(stored === undefined ? {} : { stored }),
    build: (parts) => createMachine(assemble({ ...run, ...parts })),
    inputs: inputsAgain(inputs),
    recordedTo: (events.at(-1)?.seq ?? -1) + 1,
    onEvent: verifier.check,
  });
  return { run, events, timeline, verifier, close };
}
