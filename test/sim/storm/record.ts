import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runOptions } from '../../../src/options/run-arguments.ts';
import { assemble } from '../../../src/runs/machine/assemble.ts';
import { NODE } from '../../../src/host/node.ts';
import { identities } from '../../../src/runs/machine/images.ts';
import { prepared } from '../../../src/runs/underway/prepare.ts';
import { startRecording } from '../../../src/runs/underway/recording.ts';
import { STOPPED } from '../../../src/runs/run-inputs.ts';
import { createMachine } from '../../../src/machine/machine.ts';
import type { InputEvent, PendingInput } from '../../../src/machine/parts.ts';
import type { Ending } from '../../../src/reducers/state.ts';
import { Draw } from './draw.ts';
import { stormImage } from './image.ts';
import { type Program, stormSteps } from './program.ts';

/** A storm over every device. */
export interface Storm extends Program {
  /** Nobody types or presses a button. */
  readonly alone?: boolean;
  /** The first restart is the end. */
  readonly noReboot?: boolean;
  /** Where image and trace go. */
  readonly folder: string;
}

/** What came of it. */
export interface Recorded {
  readonly trace: string;
  readonly events: number;
  readonly ticks: number;
  readonly why: Ending['why'] | 'idle';
}

const INPUT_EVERY_TICKS = 50_000;
/** So often that what is soon over shows in a digest too. */
const EVENTS_PER_DIGEST = 50;

const bytes = (draw: Draw): Uint8Array => Uint8Array.from({ length: 1 + draw.below(20) }, () => draw.below(256));

/** What a person does meanwhile. */
function anyInput(draw: Draw): InputEvent {
  return draw.weighed<() => InputEvent>([
    [6, () => ({ kind: 'sim:serial_received', line: draw.below(2), bytes: bytes(draw) })],
    [4, () => ({ kind: 'sim:keyboard_received', bytes: bytes(draw) })],
    [2, () => ({ kind: 'sim:power_button_pressed' })],
    [1, () => ({ kind: 'sim:reset_requested' })],
  ])();
}

/** Inputs at random times, without an end. */
function typist(seed: string, nsPerTick: number): { readonly peek: () => PendingInput; readonly take: () => void } {
  const draw = new Draw(seed, 'person');
  const every = INPUT_EVERY_TICKS * nsPerTick;
  const later = (ns: number): PendingInput => ({ ns: ns + draw.below(2 * every), event: anyInput(draw) });
  let next = later(every);
  return {
    peek: () => next,
    take: () => {
      next = later(next.ns as number);
    },
  };
}

/** Far more than any takes. */
const MOST_TICKS = 400_000_000;

/** Run a storm to its end, and record it. */
export function recordStorm({ folder, ...storm }: Storm): Recorded {
  const { seed, cpus, nsPerTick = 8, noReboot = false, alone = false } = storm;
  const name = `storm-${seed}-smp${cpus}`;
  const kernel = join(folder, `${name}.bin`);
  const trace = join(folder, `${name}.trace`);
  writeFileSync(kernel, stormImage(stormSteps(storm)));
  const devices = ['isa-debug-exit', 'isa-debugcon,iobase=0x402,chardev=log', 'pc-testdev', 'pci-testdev'].flatMap(
    (each) => ['-device', each],
  );
  const options = runOptions([
    ...['-m', '16', '-smp', `${cpus}`, '-kernel', kernel, '-nodefaults', '-serial', 'null', '-serial', 'null'],
    ...[
      '-chardev',
      'null,id=log',
      ...devices,
      '--seed',
      seed,
      '--ns-per-tick',
      `${nsPerTick}`,
      ...(noReboot ? ['-no-reboot'] : []),
      '--wall-clock',
      '1700000000',
      '--events',
      'guest-pt',
      '--trace',
      trace,
    ],
  ]);
  const { description: usual, images, wallClockAtPowerOn } = prepared(NODE, options);
  const description = { ...usual, eventsPerDigest: EVENTS_PER_DIGEST };
  const subject = { engineVersion: NODE.version, machine: description, images: identities(NODE, images), seed };
  const recording = startRecording(NODE, { path: trace }, subject);
  const inputs = typist(seed, nsPerTick);
  let hasStopped = false;
  const machine = createMachine(
    assemble({
      ...{ world: NODE, description, images, seed, wallClockAtPowerOn },
      inputs: {
        peek: () => (hasStopped ? { event: STOPPED } : alone ? undefined : inputs.peek()),
        take: () => inputs.take(),
      },
      onEvent: (stamped) => recording.next(stamped),
    }),
  );
  recording.begin();
  const reason = machine.advance({ tick: MOST_TICKS });
  if (reason.why !== 'ended') {
    hasStopped = true;
    machine.advance({});
  }
  recording.close();
  const why = reason.why === 'ended' ? reason.ending.why : 'idle';
  return { trace, events: machine.seq, ticks: machine.ticks, why };
}
