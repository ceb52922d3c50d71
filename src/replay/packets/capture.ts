/** The packets of a recorded run, or of several machines' runs, as a capture. */
import { byTime } from '../../base/by-time.ts';
import { onOneLine } from '../../base/printable.ts';
import type { Work } from '../../base/work.ts';
import type { Pace } from '../../events/costs.ts';
import type { Stamped } from '../../events/stamped.ts';
import { type NetClientConfig, PORT } from '../../vmm/config.ts';
import type { ByteSink } from '../trace/writer.ts';
import { exitOf, instructionText, type NameOf, nearestCauses, pathText } from './causes.ts';
import { FatesOfPackets, fateText, type PacketFates } from './fates.ts';
import { isSent, type PacketTold } from './packet-reader.ts';
import { type CapturedPacket, type CaptureInterface, captureHead, packetBlock } from './pcapng.ts';
import { endsOf, farEnds } from './wires.ts';

/** A machine's run whose packets are to be in a capture. */
export interface CapturedRun {
  /** Of the machine among several; undefined: it is the only one. */
  readonly name: string | undefined;
  readonly machine: Pace;
  readonly net: readonly NetClientConfig[];
  /** All of it, from its first event: read here and there. */
  readonly events: readonly Stamped[];
  /** Events of `tellsOfFates`, in order. */
  readonly told: Iterable<Stamped>;
  readonly nameOf: NameOf;
}

/** What a capture is made of. */
export interface Captured {
  /** Of each machine, all by one clock. */
  readonly runs: readonly CapturedRun[];
  /** Nanoseconds since 1970 (UTC) at power-on. */
  readonly wallClock: bigint;
  readonly application: string;
}

/** Events read between two looks at whether somebody wants to stop. */
const PIECE = 1 << 10;

/** A machine's packets, and where among the capture's interfaces those are that sent them. */
interface Member {
  readonly run: CapturedRun;
  readonly found: ReadonlyMap<number, PacketFates>;
  readonly places: ReadonlyMap<string, number>;
}

/** Write it: each packet once, where it was sent, by the clock of all. Returns how many there were. */
export function* writeCapture(
  { runs, wallClock, application }: Captured,
  sink: ByteSink,
): Work<{ readonly packets: number }> {
  const interfaces: CaptureInterface[] = [];
  const members: Member[] = [];
  let all = 0;
  for (const [at, run] of runs.entries()) {
    const found = yield* fatesOf(run, (part) => (at + part) / (2 * runs.length));
    const own = interfacesOf(run, found.values());
    const places = new Map([...own.keys()].map((name, place) => [name, interfaces.length + place]));
    interfaces.push(...own.values());
    members.push({ run, found, places });
    all += found.size;
  }
  for (const bytes of captureHead(application, interfaces)) sink.append(bytes);
  let written = 0;
  for (const [machine, packet] of byTime(members.map(({ found }) => found.values()))) {
    const { run, places } = members[machine]!;
    const sent = sentAt(run.events, packet);
    if (sent === undefined) continue;
    const number = BigInt(machine) * OF_A_MACHINE + BigInt(sent.event.packet);
    const place = { interface: places.get(sent.event.client)!, ns: wallClock + BigInt(packet.ns), number };
    sink.append(packetBlock({ ...place, ...shownOf(run, packet, sent) }));
    written += 1;
    if (written % PIECE === 0) yield 0.5 + written / (2 * all);
  }
  return { packets: written };
}

/** What a packet's number counts to, before that of the next machine's begins. */
const OF_A_MACHINE = 1n << 32n;

/** What became of each packet, by its number. */
function* fatesOf(run: CapturedRun, progress: (part: number) => number): Work<ReadonlyMap<number, PacketFates>> {
  const reader = new FatesOfPackets(run.machine);
  let read = 0;
  for (const stamped of run.told) {
    reader.next(stamped);
    read += 1;
    if (read % PIECE === 0) yield progress(stamped.seq / run.events.length);
  }
  return reader.found;
}

/** The event that has a packet's bytes. */
function sentAt(events: readonly Stamped[], { sent }: PacketFates): PacketTold['stamped'] | undefined {
  const stamped = events[sent - (events[0]?.seq ?? 0)];
  return stamped !== undefined && isSent(stamped) ? stamped : undefined;
}

function shownOf(
  run: CapturedRun,
  packet: PacketFates,
  sent: PacketTold['stamped'],
): Pick<CapturedPacket, 'bytes' | 'direction' | 'comment'> {
  const { client, bytes } = sent.event;
  const isNic = run.net.find(({ name }) => name === client)?.type === 'nic';
  return { bytes, direction: isNic ? 'outbound' : 'inbound', comment: commentOf(run, packet, sent) };
}

/** Event, tick, the guest's instruction, what led from it to the packet, and what became of that. */
function commentOf(run: CapturedRun, { fates }: PacketFates, sent: PacketTold['stamped']): string {
  const path = nearestCauses(run.events, sent);
  const exit = exitOf(path);
  return onOneLine(
    [
      `${run.name === undefined ? '' : `${run.name} `}packet ${sent.event.packet} #${sent.seq} tick ${sent.tick}`,
      ...(exit === undefined ? [] : [`guest ${instructionText(exit, run.nameOf)}`]),
      pathText(path),
      ...fates.map(fateText),
    ].join('; '),
  );
}

/** By its name, every NIC and every backend; and who else sent something. */
function interfacesOf(
  { name: machine, net, events }: CapturedRun,
  packets: Iterable<PacketFates>,
): Map<string, CaptureInterface> {
  const found = new Map<string, CaptureInterface>();
  const shown = (name: string): string => onOneLine(machine === undefined ? name : `${machine}:${name}`);
  for (const { name, type } of endsOf(net)) {
    const peers = farEnds(net, name).join(' and ') || 'nobody';
    found.set(name, { name: shown(name), description: onOneLine(`${type}, sends to ${peers}`) });
  }
  for (const packet of packets) {
    const client = sentAt(events, packet)?.event.client;
    if (client === undefined || found.has(client)) continue;
    const isPort = net.some(({ name, type }) => name === client && type === PORT);
    const description = isPort ? 'port of a bridge' : 'no net client of this machine';
    found.set(client, { name: shown(client), description });
  }
  return found;
}
