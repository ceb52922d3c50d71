import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { createJoint } from '../../../src/replay/trace/joint.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import type { Link } from '../../../src/runs/fabric/links.ts';
import { recordSmall, traceOf, withHeader } from '../../replay/crafted.ts';

/** Write traces as one recording of machines with these names. */
export function joined(
  path: string,
  traces: Readonly<Record<string, Uint8Array>>,
  links: readonly Link[] = [],
): string {
  const pieces: Uint8Array[] = [];
  const manifest = {
    ...{ format: 'retrovisor-joint', version: 1, links },
    machines: Object.keys(traces).map((name) => ({ name })),
  };
  const sinks = createJoint(
    { append: (bytes) => void pieces.push(bytes) },
    new TextEncoder().encode(JSON.stringify(manifest)),
  );
  for (const [at, bytes] of Object.values(traces).entries()) sinks(at + 1).append(bytes);
  writeFileSync(path, Buffer.concat(pieces));
  return path;
}

const LATENCY = 50_000;
const NS_PER_TICK = 8;
const CABLE: Link = {
  ends: [
    { machine: 0, dev: 'frames#0' },
    { machine: 1, dev: 'frames#0' },
  ],
  latencyNs: LATENCY,
};

/** Where the events are that a test asks about, by their numbers. */
export interface RecordedPair {
  readonly path: string;
  readonly alice: { readonly kick: number; readonly left: number; readonly came: number };
  readonly bob: { readonly came: number; readonly interrupt: number; readonly left: number };
}

/** An ARP request and its answer, as frames of no protocol in particular. */
const ASKED = Uint8Array.of(...Array(12).fill(1), 0x08, 0x06, ...Array(28).fill(2));
const ANSWERED = Uint8Array.of(...Array(12).fill(3), 0x08, 0x06, ...Array(28).fill(4));

/** Two machines on a cable: alice sends bob a frame, which he answers. Nobody can run them again. */
export function recordedPair(folder: string): RecordedPair {
  const alice = telling(folder, 'alice');
  const bob = telling(folder, 'bob');
  alice.print('asks');
  const kick = alice.raise(alice.exit);
  const left = alice.send(ASKED, 0, kick);
  // The clock of all: the frame is on its way so long.
  bob.goTo(alice.ns + LATENCY);
  const came = bob.raise({ kind: 'sim:frame_received', dev: 'frames#0', bytes: ASKED });
  const interrupt = bob.take(ASKED, 0, came);
  bob.later(1000);
  bob.print('answers');
  const answered = bob.send(ANSWERED, 1, bob.raise(bob.exit));
  alice.goTo(bob.ns + LATENCY);
  const back = alice.raise({ kind: 'sim:frame_received', dev: 'frames#0', bytes: ANSWERED });
  alice.take(ANSWERED, 1, back);
  alice.later(1000);
  alice.print('heard');
  alice.raise(alice.exit);
  const path = joined(join(folder, 'pair.trace'), { alice: alice.bytes(), bob: bob.bytes() }, [CABLE]);
  return { path, alice: { kick, left, came: back }, bob: { came, interrupt, left: answered } };
}

const NETDEVS = [{ type: 'frames', id: 'n0', properties: {} }];
const DEVICES = [{ driver: 'e1000', id: 'guest', properties: { netdev: 'n0' } }];

/** A machine whose events are made up, behind those with which it was built. */
function telling(folder: string, name: string) {
  const recorded = recordSmall(folder, name, 100);
  const trace = openTraceFile(recorded);
  const before = readAll(trace).events.filter(
    ({ event }) => !/^(sim:digest|kvm_exit|kvm_userspace_exit)$/.test(event.kind),
  );
  const exit = readAll(trace).events.find(({ event }) => event.kind === 'kvm_exit')!.event;
  trace.close();
  const events: Stamped[] = before
    .filter(({ event, tick }) => tick === 0 && event.kind !== 'sim:idle_warped')
    .map((stamped, seq) => ({ ...stamped, seq, cause: undefined, within: undefined }));
  let tick = 1000;
  let exits = 0;
  const machine = {
    exit,
    get ns(): number {
      return tick * NS_PER_TICK + exits * 600;
    },
    later: (ticks: number) => void (tick += ticks),
    goTo(ns: number) {
      while (machine.ns < ns) tick += 1;
    },
    raise(event: MachineEvent, cause?: number, source = 0): number {
      const seq = events.length;
      if (event.kind === 'kvm_exit') exits += 1;
      events.push({ seq, tick, source: event.kind === 'kvm_exit' ? 16 : source, cause, within: undefined, event });
      return seq;
    },
    print(text: string): void {
      for (const byte of Buffer.from(`${text}\n`)) machine.raise({ kind: 'sim:serial_sent', line: 0, byte });
    },
    send(bytes: Uint8Array, packet: number, cause: number): number {
      const header = new Uint8Array(0);
      const sent = machine.raise({ kind: 'sim:packet_sent', client: 'guest', packet, bytes, due: 0, header }, cause);
      const taken = machine.raise(delivered('n0', packet, bytes), sent);
      return machine.raise({ kind: 'sim:frame_left', dev: 'frames#0', packet }, taken);
    },
    take(bytes: Uint8Array, packet: number, cause: number): number {
      const header = new Uint8Array(0);
      const sent = machine.raise({ kind: 'sim:packet_sent', client: 'n0', packet, bytes, due: 0, header }, cause);
      const taken = machine.raise(delivered('guest', packet, bytes), sent);
      return machine.raise({ kind: 'kvm_inj_virq', vector: 38, soft: false, reinjected: false }, taken, 16);
    },
    bytes: (): Uint8Array =>
      withHeader(traceOf(recorded, events), (header) => ({
        ...header,
        machine: { ...(header['machine'] as object), netdevs: NETDEVS, devices: DEVICES },
      })),
  };
  return machine;
}

const delivered = (client: string, packet: number, { length }: Uint8Array): MachineEvent => ({
  ...{ kind: 'sim:packet_delivered', client, packet, len: length, bytes: new Uint8Array(0) },
});
