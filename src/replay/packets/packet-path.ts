/** How a packet came about and where it went, by the events alone. */
import { Problem } from '../../base/problem.ts';
import type { Ns, Seq } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { dissect } from '../../packets/dissect/dissect.ts';
import { summary } from '../../packets/dissect/summary.ts';
import { onOneLine } from '../../base/printable.ts';
import { eventLine, widthsFor } from '../export/event-line.ts';
import { eventClock } from '../export/report.ts';
import { exitOf, instructionText, type NameOf, nearestCauses } from './causes.ts';
import { isSent, type PacketMachine, type PacketTold } from './packet-reader.ts';
import { farEnds } from './wires.ts';

/** An event on a packet's way. */
export interface PathHop {
  readonly stamped: Stamped;
  /** Virtual nanosecond since power-on; undefined: too long ago to be known. */
  readonly ns: Ns | undefined;
}

/** A packet's way. */
export interface PacketPath {
  readonly sent: PacketTold['stamped'];
  /** From what began it to its sending. */
  readonly before: readonly PathHop[];
  /** Who took it, who lost it. */
  readonly fates: readonly PathHop[];
  /** From the first taking to the interrupt that told a processor; empty: none was because of it. */
  readonly interrupt: readonly PathHop[];
  /** Packets that answered it. */
  readonly answers: readonly PathHop[];
}

/** Events whose times are remembered: what leads to a packet is mostly within a few hundred. */
const REMEMBERED = 1 << 16;
/** How many events behind a packet's last are looked at. */
const FOLLOWED = 50_000;
const MOST_ANSWERS = 4;
const MOST_FATES = 16;
/** Events that follow from it. */
const MOST_EFFECTS = 1 << 14;
/** Events read between two looks at whether somebody wants to stop. */
const PIECE = 1 << 12;

/** Times of the last events of a run. */
class Times {
  private readonly ns = new Float64Array(REMEMBERED);
  private last = -1;

  keep(seq: Seq, ns: Ns): void {
    this.ns[seq % REMEMBERED] = ns;
    this.last = seq;
  }

  of({ seq }: Stamped): Ns | undefined {
    return seq > this.last - REMEMBERED && seq <= this.last ? this.ns[seq % REMEMBERED] : undefined;
  }
}

/** The way of a packet of a run. Throws a Problem when there is none of that number. */
export function* packetPath(events: readonly Stamped[], number: number, machine: PacketMachine): Work<PacketPath> {
  const clock = eventClock(machine);
  const times = new Times();
  let following: Following | undefined;
  let packets = 0;
  for (const stamped of events) {
    times.keep(stamped.seq, clock.ns(stamped));
    if (stamped.seq % PIECE === 0) yield stamped.seq / events.length;
    if (following !== undefined) {
      following.next(stamped);
      if (following.isOver(stamped.seq)) break;
    } else if (isSent(stamped)) {
      packets = Math.max(packets, stamped.event.packet + 1);
      if (stamped.event.packet === number) following = new Following(events, stamped, times);
    }
  }
  if (following === undefined) {
    throw new Problem(packets === 0 ? 'The run has no packets.' : `The run has packets 0 to ${packets - 1}.`);
  }
  return following.path;
}

/** A packet that was sent, and what comes of it. */
class Following {
  private readonly events: readonly Stamped[];
  private readonly sent: PacketTold['stamped'];
  private readonly times: Times;
  private readonly before: PathHop[];
  private readonly effects = new Set<Seq>();
  private readonly fates: PathHop[] = [];
  private readonly answers: PathHop[] = [];
  private interrupt: PathHop[] = [];
  private last: Seq;

  constructor(events: readonly Stamped[], sent: PacketTold['stamped'], times: Times) {
    this.events = events;
    this.sent = sent;
    this.times = times;
    this.last = sent.seq;
    this.effects.add(sent.seq);
    this.before = this.hops(nearestCauses(events, sent));
  }

  isOver(seq: Seq): boolean {
    return seq > this.last + FOLLOWED;
  }

  next(stamped: Stamped): void {
    const { event, seq, cause } = stamped;
    if (this.isOurs(stamped) && isFate(stamped) && this.fates.length < MOST_FATES) {
      this.fates.push(this.hop(stamped));
      this.effects.add(seq);
      this.last = seq;
    }
    if (cause === undefined || !this.effects.has(cause)) return;
    if (this.effects.size < MOST_EFFECTS) this.effects.add(seq);
    if (event.kind === 'kvm_inj_virq') this.interrupted(stamped);
    else if (isSent(stamped)) this.answered(stamped);
  }

  private isOurs({ event }: Stamped): boolean {
    return 'packet' in event && event.packet === this.sent.event.packet;
  }

  /** The first that a taking led to, and no other packet between. */
  private interrupted(stamped: Stamped): void {
    if (this.interrupt.length > 0) return;
    const causes = nearestCauses(this.events, stamped);
    // Who took it last among what led here: a tap hands on what it takes.
    const isTaking = ({ seq, event }: Stamped): boolean =>
      event.kind === 'sim:packet_delivered' && this.effects.has(seq);
    const taken = causes.findLast((each) => isTaking(each) && this.isOurs(each));
    if (taken === undefined) return;
    const path = causes.filter(({ seq }) => seq >= taken.seq);
    if (path.some(isSent)) return;
    this.interrupt = this.hops(path);
    this.last = stamped.seq;
  }

  private answered(stamped: Stamped): void {
    const path = nearestCauses(this.events, stamped).filter(({ seq }) => seq > this.sent.seq && seq < stamped.seq);
    // What it was cut into is no answer.
    const isCut = this.fates.some(({ stamped: { event } }) => event.kind === 'sim:packet_cut');
    if (isCut || this.answers.length >= MOST_ANSWERS || path.some(isSent)) return;
    this.answers.push(this.hop(stamped));
    this.last = stamped.seq;
  }

  private hop(stamped: Stamped): PathHop {
    return { stamped, ns: this.times.of(stamped) };
  }

  private hops(path: readonly Stamped[]): PathHop[] {
    return path.map((stamped) => this.hop(stamped));
  }

  get path(): PacketPath {
    const { sent, before, fates, interrupt, answers } = this;
    return { sent, before, fates, interrupt, answers };
  }
}

const FATES: readonly string[] = [
  ...['sim:packet_delivered', 'sim:packet_dropped', 'sim:packet_queued'],
  ...['sim:bridge_forwarded', 'sim:packet_cut', 'sim:tap_queued', 'sim:tap_read', 'sim:frame_left'],
];

const isFate = ({ event }: Stamped): boolean => FATES.includes(event.kind);

/** The taking of a packet by one of these clients; undefined: none of them took it. */
export const takenBy = (
  { fates }: PacketPath,
  clients: readonly string[],
): Stamped<EventOf<'sim:packet_delivered'>> | undefined =>
  fates
    .map(({ stamped }) => stamped)
    .find(
      (stamped): stamped is Stamped<EventOf<'sim:packet_delivered'>> =>
        stamped.event.kind === 'sim:packet_delivered' && clients.includes(stamped.event.client),
    );

/** What is printed of a run's packets: how many events it has, who is on its wires, the names of its addresses. */
export interface PathSetting {
  readonly events: number;
  readonly machine: PacketMachine;
  readonly nameOf: NameOf;
  /** When it left the machine before this one; absent: there is none. */
  readonly leftNs?: Ns | undefined;
}

/** A packet's way in lines: each event with what it took since the one before. */
export function pathLines(path: PacketPath, setting: PathSetting): string[] {
  const { sent, before, fates, interrupt, answers } = path;
  const exit = exitOf(before.map(({ stamped }) => stamped));
  const lost = fates.length === 0 ? ['Nobody has taken it by the end of the run.'] : [];
  return [
    headLine(sent, setting),
    ...(exit === undefined ? [] : [`guest: ${instructionText(exit, setting.nameOf)}`]),
    'To the wire:',
    ...hopLines(before, setting, setting.leftNs),
    ...(fates.length === 0 ? lost : ['From the wire:']),
    ...hopLines(fates, setting, before.at(-1)?.ns),
    ...(interrupt.length < 2 ? [] : ['To a processor:']),
    ...hopLines(interrupt.slice(1), setting, interrupt[0]?.ns),
    ...(answers.length === 0 ? [] : ['Answered by:']),
    ...answers.map(({ stamped, ns }) => answerLine(stamped, sinceText(ns, before.at(-1)?.ns))),
  ];
}

function headLine({ event: { packet, client, bytes } }: PacketTold['stamped'], { machine }: PathSetting): string {
  const peers = farEnds(machine.net, client).join('+') || 'nobody';
  return onOneLine(`packet ${packet}, ${bytes.length} bytes, ${client} > ${peers}: ${summary(dissect(bytes))}`);
}

function hopLines(hops: readonly PathHop[], { events }: PathSetting, from: Ns | undefined): string[] {
  const widths = widthsFor(events);
  let last = from;
  return hops.map(({ stamped, ns }) => {
    const line = `  ${sinceText(ns, last)}  ${eventLine(stamped, widths, 0)}`;
    last = ns ?? last;
    return line;
  });
}

/** Virtual microseconds between two events. */
const sinceText = (ns: Ns | undefined, from: Ns | undefined): string =>
  `${ns === undefined || from === undefined ? '' : `+${((ns - from) / 1000).toFixed(3)} us`}`.padStart(16);

function answerLine(stamped: Stamped, since: string): string {
  if (!isSent(stamped)) return since;
  const { packet, client, bytes } = stamped.event;
  return onOneLine(`  ${since}  packet ${packet} #${stamped.seq} of ${client}: ${summary(dissect(bytes))}`);
}
