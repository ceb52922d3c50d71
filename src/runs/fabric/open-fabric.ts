import type { InputEvent } from '../../machine/parts.ts';
import { createJoint } from '../../replay/trace/joint.ts';
import { Told } from '../../replay/streams/told.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { HostSockets } from '../underway/host-sockets.ts';
import { startSession } from '../underway/open-session.ts';
import { prepared } from '../underway/prepare.ts';
import type { OutputTo } from '../underway/printed.ts';
import type { FileSink, World } from '../world.ts';
import { Inbox } from './inbox.ts';
import type { Link } from './links.ts';
import { LockStep } from './lock-step.ts';
import type { JointManifest } from './manifest.ts';
import { SessionLane } from './session-lane.ts';

/** One of the machines of a run. Where its own options have a trace go is not looked at. */
export interface PlannedMachine {
  readonly name: string;
  readonly options: RunOptions;
  /** It is there for the others: once they are over, the run is. */
  readonly serves?: boolean;
}

/** Several machines and what joins them. Bridges are machines without processors, behind the others. */
export interface Plan {
  readonly machines: readonly PlannedMachine[];
  readonly links: readonly Link[];
  /** What a person should know of how they are joined. */
  readonly warnings?: readonly string[];
  /** Where all of them are recorded; absent: nowhere. */
  readonly trace?: string | undefined;
  /** Leave checkpoints of each beside that, as `net.trace:alice.ckpt`. */
  readonly checkpoints?: boolean;
  /** A gdb may come, at this port of the host. */
  readonly gdb?: number | undefined;
}

/** Machines that run together. */
export interface Fabric {
  readonly all: LockStep;
  readonly lanes: readonly SessionLane[];
  /** What a person should know before they start, and of which of them. */
  readonly warnings: readonly { readonly name: string; readonly warning: string }[];
  /** Finish the recording. */
  close(): void;
}

/** Build the machines, recorded, ready to run. Throws a Problem that says of which one something cannot be had. */
export function openFabric(
  world: World,
  plan: Plan,
  output: (name: string) => OutputTo,
  sockets: readonly (HostSockets | undefined)[] = [],
): Fabric {
  const { machines, links, trace, checkpoints = false, gdb } = plan;
  const made = machines.map(({ options }) => prepared(world, options));
  const serving = machines.flatMap(({ serves }, at) => (serves === true ? [at] : []));
  const sinkOf = trace === undefined ? undefined : jointRecording(world, trace, { machines, links });
  const lanes: SessionLane[] = [];
  // What is heard outside comes when the clock of all is there, as what people say does.
  const early: (() => void)[] = [];
  let all: LockStep | undefined;
  const tell = (at: number, event: InputEvent): void => {
    if (all === undefined) early.push(() => tell(at, event));
    else all.send(at, event);
  };
  try {
    for (const [at, { name, options }] of machines.entries()) {
      const sink = sinkOf?.(at);
      const told = new Told();
      const inbox = new Inbox(made[at]!.expected);
      const beside = {
        heldBytes: Math.floor(HELD_BYTES / machines.length),
        mayRunTo: () => inbox.opensUntil,
        hasSent: {
          get isHeld() {
            return lanes[at]?.hasSent === true;
          },
        },
      };
      const mail = { send: (event: InputEvent) => tell(at, event), count: () => inbox.said };
      const company = { told, beside, mail, sockets: sockets[at] };
      const ready = {
        ...made[at]!,
        ...{ world: sink === undefined ? world : recordingInto(world, sink), expected: inbox },
        options: {
          ...{ ...options, checkpoints, trace: sink === undefined ? undefined : `${trace}:${name}` },
          // A bridge has no processor that could be stopped.
          gdb: options.cpus === 0 ? undefined : gdb,
        },
      };
      lanes.push(new SessionLane(startSession(ready, output(name), company), told, inbox));
    }
  } catch (error) {
    for (const { session } of lanes) session.close();
    sinkOf?.close();
    throw error;
  }
  all = new LockStep(lanes, links, serving);
  for (const send of early) send();
  return {
    all,
    lanes,
    warnings: lanes.flatMap(({ session: { warnings } }, at) =>
      warnings.map((warning) => ({ name: machines[at]!.name, warning })),
    ),
    close() {
      try {
        closeAll(lanes);
      } finally {
        sinkOf?.close();
      }
    },
  };
}

/** Most bytes that checkpoints of all may hold, where a debugger may go back. */
const HELD_BYTES = 2 ** 30;

/** Each is closed, whatever becomes of the others. */
function closeAll(lanes: readonly SessionLane[]): void {
  const failures: unknown[] = [];
  for (const { session } of lanes) {
    try {
      session.close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

interface JointRecording {
  (machine: number): FileSink;
  close(): void;
}

/** A file for what all of them record. */
function jointRecording({ files }: World, path: string, { machines, links }: Plan): JointRecording {
  const file = files.createTrace(path);
  const manifest: JointManifest = {
    ...{ format: 'retrovisor-joint', version: 1 },
    machines: machines.map(({ name }) => ({ name })),
    links,
  };
  const sinks = createJoint(file, new TextEncoder().encode(JSON.stringify(manifest)));
  const of = (machine: number): FileSink => ({ ...sinks(machine + 1), close: () => undefined });
  return Object.assign(of, { close: () => file.close() });
}

/** The world for one of them: what it records goes there. */
const recordingInto = (world: World, sink: FileSink): World => ({
  ...world,
  files: { ...world.files, refuseOtherThanTrace: () => undefined, createTrace: () => sink },
});
