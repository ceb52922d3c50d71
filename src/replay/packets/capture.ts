/** A recorded run's packets as a capture. */
import { onOneLine } from '../../base/printable.ts';
import type { Work } from '../../base/work.ts';
import type { Pace } from '../../events/costs.ts';
import type { Stamped } from '../../events/stamped.ts';
import { type NetClientConfig, PORT } from '../../vmm/config.ts';
import type { ByteSink } from '../trace/writer.ts';
import { exitOf, instructionText, type NameOf, nearestCauses, pathText } from './causes.ts';
import { FatesOfPackets, fateText, type PacketFates } from './fates.ts';
import { isSent, type PacketTold } from './packet-reader.ts';
import { type CaptureInterface, captureHead, packetBlock } from './pcapng.ts';
import { endsOf, farEnds } from './wires.ts';

/** A run whose packets are to be a capture. */
export interface CapturedRun {
  readonly machine: Pace;
  readonly net: readonly NetClientConfig[];
  /** All of it, from its first event: read here and there. */
  readonly events: readonly Stamped[];
  /** Events of `tellsOfFates`, in order. */
  readonly told: Iterable<Stamped>;
  /** Nanoseconds since 1970 (UTC) at power-on. */
  readonly wallClock: bigint;
  readonly application: string;
  readonly nameOf: NameOf;
}

/** Events read between two looks at whether somebody wants to stop. */
const PIECE = 1 << 10;

/** Write it: each packet once, where it was sent. Returns how many there were. */
export function* writeCapture(run: CapturedRun, sink: ByteSink): Work<{ readonly packets: number }> {
  const reader = new FatesOfPackets(run.machine);
  let read = 0;
  for (const stamped of run.told) {
    reader.next(stamped);
    read += 1;
    if (read % PIECE === 0) yield stamped.seq / (2 * run.events.length);
  }
  const interfaces = interfacesOf(run.net, reader.found.values(), run.events);
  for (const bytes of captureHead(run.application, [...interfaces.values()])) sink.append(bytes);
  const places = new Map([...interfaces.keys()].map((name, place) => [name, place]));
  let written = 0;
  for (const packet of reader.found.values()) {
    const sent = sentAt(run.events, packet);
    if (sent === undefined) continue;
    sink.append(blockOf(run, packet, sent, places.get(sent.event.client)!));
    written += 1;
    if (written % PIECE === 0) yield 0.5 + written / (2 * reader.found.size);
  }
  return { packets: written };
}

/** The event that has a packet's bytes. */
function sentAt(events: readonly Stamped[], { sent }: PacketFates): PacketTold['stamped'] | undefined {
  const stamped = events[sent - (events[0]?.seq ?? 0)];
  return stamped !== undefined && isSent(stamped) ? stamped : undefined;
}

function blockOf(run: CapturedRun, packet: PacketFates, sent: PacketTold['stamped'], place: number): Uint8Array {
  const { client, bytes, packet: number } = sent.event;
  const isNic = run.net.find(({ name }) => name === client)?.type === 'nic';
  return packetBlock({
    ...{ interface: place, ns: run.wallClock + BigInt(packet.ns), bytes, number },
    direction: isNic ? 'outbound' : 'inbound',
    comment: commentOf(run, packet, sent),
  });
}

/** Event, tick, the guest's instruction, what led from it to the packet, and what became of that. */
function commentOf(run: CapturedRun, { fates }: PacketFates, sent: PacketTold['stamped']): string {
  const path = nearestCauses(run.events, sent);
  const exit = exitOf(path);
  return onOneLine(
    [
      `packet ${sent.event.packet} #${sent.seq} tick ${sent.tick}`,
      ...(exit === undefined ? [] : [`guest ${instructionText(exit, run.nameOf)}`]),
      pathText(path),
      ...fates.map(fateText),
    ].join('; '),
  );
}

/** By its name, every NIC and every backend; and who else sent something. */
function interfacesOf(
  net: readonly NetClientConfig[],
  packets: Iterable<PacketFates>,
  events: readonly Stamped[],
): Map<string, CaptureInterface> {
  const found = new Map<string, CaptureInterface>();
  for (const { name, type } of endsOf(net)) {
    const peers = farEnds(net, name).join(' and ') || 'nobody';
    found.set(name, { name: onOneLine(name), description: onOneLine(`${type}, sends to ${peers}`) });
  }
  for (const packet of packets) {
    const client = sentAt(events, packet)?.event.client;
    if (client === undefined || found.has(client)) continue;
    const isPort = net.some(({ name, type }) => name === client && type === PORT);
    const description = isPort ? 'port of a bridge' : 'no net client of this machine';
    found.set(client, { name: onOneLine(client), description });
  }
  return found;
}
