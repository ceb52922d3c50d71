import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { recordSmall, traceOf, withHeader } from '../crafted.ts';

/** On a hub, a card that is called `guest` and a backend. */
const NETDEVS = [
  { type: 'user', id: 'n0', properties: {} },
  { type: 'hubport', id: 'h0', hub: 3, properties: {} },
  { type: 'hubport', id: 'h1', hub: 3, netdev: 'n0', properties: {} },
];
const DEVICES = [{ driver: 'e1000', id: 'guest', properties: { netdev: 'h0' } }];

/** Of the guest of every capture. */
const GUEST = '525400123456';
const TICKS_APART = 125_000;

type Link = Pick<Stamped, 'cause' | 'source'>;
const VCPU = 16;

/** Events one after another, as a run tells them. */
class Telling {
  readonly events: Stamped[];
  private tick: number;

  constructor(before: readonly Stamped[]) {
    this.events = [...before];
    this.tick = before[before.length - 1]!.tick;
  }

  later(): void {
    this.tick += TICKS_APART;
  }

  /** Returns the event's number. */
  raise(event: MachineEvent, { cause, source }: Partial<Link> = {}): number {
    const seq = this.events.length;
    this.events.push({ seq, tick: this.tick, source: source ?? 0, cause, within: undefined, event });
    return seq;
  }
}

/**
 * A trace of a run over whose wire these frames went: the guest's because of a VM exit, the others because of the
 * guest's last, and each of those an interrupt. Nobody can run it again: it is there to be read.
 */
export function runOver(
  folder: string,
  name: string,
  frames: readonly Uint8Array[],
  lost: readonly number[] = [],
): string {
  const recorded = recordSmall(folder, name, 100);
  const trace = openTraceFile(recorded);
  const before = readAll(trace).events.filter(({ event }) => event.kind !== 'sim:digest');
  trace.close();
  const telling = new Telling(before.map((stamped, seq) => ({ ...stamped, seq, cause: undefined, within: undefined })));
  tell(telling, frames, lost, before);
  const path = join(folder, `${name}-packets.trace`);
  const bytes = withHeader(traceOf(recorded, telling.events), (header) => ({
    ...header,
    machine: { ...(header['machine'] as object), netdevs: NETDEVS, devices: DEVICES },
  }));
  writeFileSync(path, bytes);
  return path;
}

function tell(
  telling: Telling,
  frames: readonly Uint8Array[],
  lost: readonly number[],
  before: readonly Stamped[],
): void {
  const exit = before.find(({ event }) => event.kind === 'kvm_exit')!.event;
  let answered: number | undefined;
  for (const [packet, bytes] of frames.entries()) {
    telling.later();
    const isGuests = Buffer.from(bytes.subarray(6, 12)).toString('hex') === GUEST;
    const cause = isGuests ? telling.raise(exit, { source: VCPU }) : answered;
    const [client, to] = isGuests ? (['guest', 'n0'] as const) : (['n0', 'guest'] as const);
    const sent = telling.raise(
      { kind: 'sim:packet_sent', client, packet, bytes, due: 0, header: new Uint8Array(0) },
      { cause },
    );
    telling.later();
    if (lost.includes(packet)) {
      telling.raise({ kind: 'sim:packet_dropped', client: to, packet, why: 'queue full' }, { cause: sent });
      continue;
    }
    const delivered = telling.raise(
      { kind: 'sim:packet_delivered', client: to, packet, len: bytes.length, bytes: new Uint8Array(0) },
      { cause: sent },
    );
    if (isGuests) answered = delivered;
    else interrupt(telling, delivered);
  }
}

/** Told twice: a processor takes the second when it has done with the first. */
function interrupt(telling: Telling, cause: number): void {
  const event = { kind: 'kvm_inj_virq', vector: 38, soft: false, reinjected: false } as const;
  for (let each = 0; each < 2; each += 1) telling.raise(event, { cause, source: VCPU });
}
