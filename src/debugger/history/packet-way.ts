/** `why packet:N`: from the application that wrote a packet to the wire, or from there to the one that read it. */
import { hexadecimal } from '../../base/bytes.ts';
import { labelsOf } from '../../base/labels.ts';
import { Problem } from '../../base/problem.ts';
import type { Ns, Seq } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import { segmentsFrom } from '../../devices/virtio/segments.ts';
import type { Stamped } from '../../events/stamped.ts';
import { linearRip, physicalOf, readLinear, registersOf } from '../../machine/guest-view.ts';
import { dissect } from '../../packets/dissect/dissect.ts';
import { UDP_HEADER } from '../../packets/udp.ts';
import { afterEvent } from '../../replay/places.ts';
import { exitOf } from '../../replay/packets/causes.ts';
import type { PacketMachine } from '../../replay/packets/packet-reader.ts';
import { packetLegs } from '../../runs/fabric/packet-legs.ts';
import { type PacketPath, packetPath, pathLines, takenBy } from '../../replay/packets/packet-path.ts';
import { callText, isReading, type SystemCall, systemCall } from '../look/linux-calls.ts';
import { registerReader } from '../look/named-registers.ts';
import { named } from '../look/vantage.ts';
import type { DebugSession } from '../session.ts';
import { findNext, findPrevious } from '../stops/stop-search.ts';
import { wordsIn } from '../stops/stop-words.ts';
import { parseWatch, type Stop } from '../stops/stops.ts';
import { staying } from '../stops/windows.ts';

/** The way of a packet, by number, through all machines it was on. The session stays where it is. */
export function* packetWay(session: DebugSession, words: string): Work<string> {
  const number = /^\d{1,15}$/.exec(words)?.[0];
  if (number === undefined) throw new Problem('Say which packet, by its number: `why packet:N`.');
  const { neighbours } = session;
  if (neighbours === undefined) {
    const { config } = session.view.machine.state;
    const machine = { ...config, net: config.net ?? [] };
    const path = yield* packetPath(session.run.events, Number(number), machine);
    return (yield* legLines({ session, machine, path, leftNs: undefined })).join('\n');
  }
  const { runs, passages, names, own } = neighbours;
  const legs = yield* packetLegs(runs, passages, { machine: own, packet: Number(number) });
  const labels = labelsOf(names);
  const lines: string[] = [];
  for (const { machine: at, path, leftNs } of legs) {
    const there = { session: neighbours.session(at), machine: runs[at]!.machine, path, leftNs };
    lines.push(...(yield* legLines(there)).map((line) => `${labels[at]}${line}`));
  }
  return lines.join('\n');
}

/** A packet's way on a machine. */
interface LegThere {
  readonly session: DebugSession;
  readonly machine: PacketMachine;
  readonly path: PacketPath;
  readonly leftNs: Ns | undefined;
}

/** From the application that wrote it there, if one did, to the one that read it. */
function* legLines({ session, machine, path, leftNs }: LegThere): Work<string[]> {
  const events = session.run.events.length;
  const setting = { events, machine, nameOf: (address: bigint) => session.symbols.nameOf(address), leftNs };
  const [head, ...way] = pathLines(path, setting);
  const nics = machine.net.filter(({ type }) => type === 'nic').map(({ name }) => name);
  const isFromGuest = nics.includes(path.sent.event.client);
  const writer = isFromGuest ? yield* staying(session, writerOf(session, path)) : [];
  const taken = takenBy(path, nics);
  const reader = taken === undefined ? [] : yield* staying(session, readerOf(session, path, taken));
  return [head!, ...writer, ...way, ...reader];
}

const micros = (ns: Ns): string => `${(ns / 1000).toFixed(3)} us`;

/** The session's machine stands still: what time it is there. */
const timeOf = ({ run }: DebugSession): Ns => run.timeline.machine.now();

const whereText = (session: DebugSession, call: SystemCall): string =>
  `${callText(call)} at ${named(session, call.rip - 2n)} of vcpu${session.vcpu}`;

const mode = (session: DebugSession): Stop => parseWatch('$cpl', wordsIn(session));

/** Which system call the guest was in when it told the card, and since when. */
function* writerOf(session: DebugSession, { before }: PacketPath): Work<string[]> {
  const exit = exitOf(before.map(({ stamped }) => stamped));
  if (exit === undefined) return [];
  yield* session.going({ seq: exit.seq, tick: exit.tick });
  session.vcpu = exit.event.vcpu_id;
  const call = systemCall(session);
  if (call === undefined) return ['From no system call: the kernel sent it by itself, as far as its stack shows.'];
  const [end, where] = [timeOf(session), whereText(session, call)];
  yield* findPrevious(session, [mode(session)]);
  // It may have slept meanwhile, and others have run.
  const isEntry = registersOf(session.view, session.vcpu).rip === call.rip - 2n;
  const since = isEntry ? `, tick ${session.now.tick}, ${micros(end - timeOf(session))} before the card was told` : '';
  return ['From an application:', `  ${where}${since}`];
}

/** Reads of a packet's first byte that are looked at: some are the kernel's own, for checksums and headers. */
const MOST_READS = 64;
/** Events behind the taking of a packet after which nobody is expected to read it any more. */
const LATEST = 200_000;

/** Which system call copied what the packet carries to an application, and when it was back there. */
function* readerOf(session: DebugSession, path: PacketPath, taken: Stamped): Work<string[]> {
  const place = payloadIn(session.run.events, path, taken);
  if (place === undefined) return ['It carries nothing for an application.'];
  const told = path.fates.find(({ stamped }) => stamped.seq === taken.seq)?.ns ?? 0;
  yield* session.going(afterEvent(place.filled));
  let { gpa } = place;
  for (let reads = 0; reads < MOST_READS; reads += 1) {
    const watch = parseWatch(`phys:0x${gpa.toString(16)}/1 read`, wordsIn(session));
    const met = yield* findNext(session, [watch, laterThan(taken.seq + LATEST)]);
    if (met === undefined || met.event !== undefined) break;
    const call = systemCall(session);
    // What a call reads that gives bytes to an application is read for it.
    if (call !== undefined && isReading(call)) return yield* readBy(session, call, told);
    const to = copiedTo(session, gpa);
    if (to !== undefined) gpa = physicalOf(session.view, session.vcpu, to) ?? gpa;
  }
  return ['No application has read it, as far as its copies in the kernel were followed.'];
}

const laterThan = (seq: Seq): Stop => ({
  what: 'event',
  said: 'long after the packet was taken',
  isMeant: (stamped) => stamped.seq > seq,
});

/** REP MOVSB and its wider kinds: how many bytes each moves at once. */
const COPIES: Readonly<Record<string, bigint>> = { f3a4: 1n, f366a5: 2n, f3a5: 4n, f348a5: 8n };

/**
 * Where the byte at a guest-physical address was just copied to, by an instruction that copies strings, as Linux has
 * them where the processor is quick at it; undefined: it was read by another.
 */
function copiedTo({ view, vcpu }: DebugSession, gpa: number): bigint | undefined {
  const registers = registersOf(view, vcpu);
  const rip = linearRip(view, vcpu);
  // It stands at the instruction until that is over.
  for (const [code, size] of Object.entries(COPIES)) {
    const length = BigInt(code.length / 2);
    for (const at of [rip, rip - length]) {
      if (hexadecimal(readLinear(view, vcpu, at, Number(length))) !== code) continue;
      const [from, to] = [registers.gpr(RSI) - size, registers.gpr(RDI) - size];
      const start = physicalOf(view, vcpu, BigInt.asUintN(64, from));
      const offset = start === undefined ? -1 : gpa - start;
      if (offset >= 0 && offset < size) return BigInt.asUintN(64, to + BigInt(offset));
    }
  }
  return undefined;
}

const [RSI, RDI] = [6, 7];

function* readBy(session: DebugSession, call: SystemCall, taken: Ns): Work<string[]> {
  const copied = timeOf(session);
  const lines = [
    'To an application:',
    `  +${micros(copied - taken)} since it was taken: ${whereText(session, call)} reads it`,
  ];
  yield* findNext(session, [mode(session)]);
  const registers = registersOf(session.view, session.vcpu);
  if (registers.rip !== call.rip) return lines;
  const result = BigInt.asIntN(64, registerReader('rax')(registers));
  return [...lines, `  +${micros(timeOf(session) - copied)}: it returns ${result}, tick ${session.now.tick}`];
}

/** Where the first byte of what a packet carries lies in the guest's memory, once an event has told of it. */
interface PayloadPlace {
  readonly gpa: number;
  readonly filled: Stamped;
}

/** Events behind the taking of a packet among which the card's are. */
const NEAR = 400;

function payloadIn(events: readonly Stamped[], path: PacketPath, taken: Stamped): PayloadPlace | undefined {
  const { bytes } = path.sent.event;
  const carried = payloadOf(bytes);
  if (carried === undefined) return undefined;
  const first = events[0]?.seq ?? 0;
  let left = carried;
  for (let at = taken.seq + 1 - first; at < Math.min(events.length, taken.seq + NEAR - first); at += 1) {
    const filled = events[at]!;
    if (filled.cause !== taken.seq && filled.cause !== path.sent.seq) continue;
    for (const { gpa, length, before } of buffersOf(filled)) {
      const skip = left + before;
      if (skip < length) return { gpa: gpa + skip, filled };
      left = skip - length;
    }
  }
  return undefined;
}

interface CardBuffer {
  readonly gpa: number;
  readonly length: number;
  /** Bytes that are no packet's. */
  readonly before: number;
}

/** Of a virtio network card: the header before every packet of a modern driver (Virtio 1.1, 5.1.6). */
const HEADER = 12;

/** Buffers that a card fills. */
function buffersOf({ event }: Stamped): CardBuffer[] {
  if (event.kind === 'sim:e1000_rx_descriptor' || event.kind === 'sim:rtl8139_rx_descriptor') {
    return [{ gpa: Number(event.gpa), length: event.len, before: 0 }];
  }
  if (event.kind === 'sim:rtl8139_rx_stored') return [{ gpa: event.gpa, length: event.len, before: 0 }];
  if (event.kind !== 'virtqueue_pop' && event.kind !== 'sim:vhost_get_desc') return [];
  return segmentsFrom(event.segments)
    .slice(event.out_num)
    .map(({ gpa, length }, at) => ({ gpa: Number(gpa), length, before: at === 0 ? HEADER : 0 }));
}

/** Where what is for applications begins in a frame; undefined: it has nothing for them. */
function payloadOf(frame: Uint8Array): number | undefined {
  const d = dissect(frame);
  const isIpv4 = d.protocols.includes('ip');
  if (!isIpv4 && !d.protocols.includes('ipv6')) return undefined;
  const network = 14 + 4 * (d.fields.get('vlan.id')?.length ?? 0);
  const [all, header] = isIpv4
    ? [Number(d.one('ip.len')), Number(d.one('ip.hdr_len'))]
    : [40 + Number(d.one('ipv6.plen')), 40];
  const isFirst = !isIpv4 || d.one('ip.frag_offset') === 0;
  const transport = d.protocols.includes('tcp') ? Number(d.one('tcp.hdr_len')) : isFirst ? UDP_HEADER : 0;
  const at = network + header + transport;
  return Number.isNaN(at) || at >= Math.min(frame.length, network + all) ? undefined : at;
}
