import { lazyEvents } from '../../replay/trace/lazy-events.ts';
import { readDescription } from '../machine/machine-description.ts';
import { wiresOf } from '../machine/wires-of.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline, type RunAccess } from '../recorded/recorded-run.ts';
import { openTraceFile } from '../recorded/trace-file.ts';
import type { World } from '../world.ts';
import type { JointManifest } from './manifest.ts';
import type { PacketRun } from './packet-legs.ts';
import { type Passages, passagesBetween } from './passages.ts';

/** How the machines of a recording are opened to be stood in. */
export interface MachinesSetting {
  readonly access: RunAccess;
  /** Most bytes the checkpoints of all may hold. */
  readonly heldBytes: number;
  /** Hears why stored checkpoints of one cannot be used, if they cannot. */
  say(sentence: string): void;
}

/** The machines of a joint recording. What is asked of one is read, or built, when it is asked for. */
export class RecordedMachines {
  readonly names: readonly string[];
  private readonly world: World;
  private readonly path: string;
  private readonly manifest: JointManifest;
  private readonly setting: MachinesSetting;
  private readonly timelines: (RecordedTimeline | undefined)[] = [];
  private read: readonly PacketRun[] | undefined;
  private between: Passages | undefined;

  /** `path`: of the file that holds them all. */
  constructor(world: World, path: string, manifest: JointManifest, setting: MachinesSetting) {
    this.world = world;
    this.path = path;
    this.manifest = manifest;
    this.setting = setting;
    this.names = manifest.machines.map(({ name }) => name);
  }

  /** What each did, by its events alone. */
  get runs(): readonly PacketRun[] {
    this.read ??= this.names.map((name) => {
      const path = `${this.path}:${name}`;
      const trace = openTraceFile(this.world, path, { acceptCut: true });
      const description = readDescription(trace.header.machine, path);
      return { events: lazyEvents(trace).events, machine: { ...description, net: wiresOf(description) } };
    });
    return this.read;
  }

  /** The frames that went between them. */
  get passages(): Passages {
    this.between ??= passagesBetween(
      this.runs.map(({ events, machine }) => ({ events, pace: machine })),
      this.manifest.links,
    );
    return this.between;
  }

  /** One of them, to be stood in. Throws a Problem when it cannot be run again here: an image is missing. */
  timeline(machine: number): RecordedTimeline {
    const { access, heldBytes, say } = this.setting;
    this.timelines[machine] ??= openTimeline(
      openRecordedRun(this.world, `${this.path}:${this.names[machine]}`, access),
      { heldBytes: Math.floor(heldBytes / this.names.length), onStoredProblem: say },
    );
    return this.timelines[machine];
  }
}
