/** Inputs whose time is known before a run begins: frames of captures, the loss of power. */
import { Problem } from '../../base/problem.ts';
import type { PendingInput } from '../../machine/parts.ts';
import { readCapture } from '../../packets/capture-file.ts';
import { virtualNs } from '../../base/virtual-time.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { World } from '../world.ts';
import { powerLossAsked } from './power-loss.ts';

/** What is going to come, in order. */
export interface ExpectedInputs {
  /** undefined: nothing more that is known of. */
  readonly next: PendingInput | undefined;
  take(): void;
}

/** All of it is known. */
class KnownInputs implements ExpectedInputs {
  private readonly inputs: readonly PendingInput[];
  private at = 0;

  constructor(inputs: readonly PendingInput[]) {
    this.inputs = inputs;
  }

  get next(): PendingInput | undefined {
    return this.inputs[this.at];
  }

  take(): void {
    this.at += 1;
  }
}

/** Throws a Problem for a capture that cannot be played. */
export function expectedInputs(world: Pick<World, 'images'>, options: RunOptions): ExpectedInputs {
  const frames = options.netdevs.flatMap(({ type, properties }, index) =>
    type === 'pcap' ? framesOf(world, `${type}#${index}`, properties as unknown as Played) : [],
  );
  const loss = powerLossAsked(options);
  if (loss?.tick !== undefined && frames.length > 0) {
    throw new Problem('--power-loss after so many instructions does not go with -netdev pcap: say a time, like 2s.');
  }
  const inputs = [...frames, ...(loss === undefined ? [] : [loss])];
  return new KnownInputs(inputs.sort((one, other) => (one.ns ?? 0) - (other.ns ?? 0)));
}

interface Played {
  readonly file?: string;
  readonly start?: string;
}

/** The first frame comes when it is asked for, each other as long after it as in the capture. */
function framesOf(world: Pick<World, 'images'>, dev: string, { file = '', start = '0s' }: Played): PendingInput[] {
  if (file === '') throw new Problem('-netdev pcap: say which capture, with file=PATH.');
  const begins = virtualNs(start);
  if (begins === undefined) throw new Problem(`-netdev pcap: start=${start} is not a time like 300us, 2ms or 1.5s.`);
  const frames = readCapture(file, world.images.read('capture', file));
  const first = frames[0]?.ns ?? 0;
  return frames.map(({ ns, bytes }) => ({
    ns: begins + Math.max(0, ns - first),
    event: { kind: 'sim:frame_received', dev, bytes },
  }));
}

/** The first of what waits is delivered, or else of what was expected. */
export function taken(waiting: PendingInput[], expected: ExpectedInputs): void {
  if (waiting.length > 0) waiting.shift();
  else expected.take();
}
