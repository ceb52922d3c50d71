/** `-object filter-dump`: what passes a backend, written down while the run goes on. QEMU 7.2: net/dump.c. */
import type { Ns } from '../../base/units.ts';
import type { Pace } from '../../events/costs.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { pcapHead, pcapRecord } from '../../packets/pcap.ts';
import { eventClock } from '../../replay/export/report.ts';
import { isTap, type NetClientConfig } from '../../vmm/config.ts';
import type { MachineDescription } from '../machine/machine-description.ts';
import type { DumpOption } from '../machine/run-options.ts';
import { wiresOf } from '../machine/wires-of.ts';

/** What packets are dumped of. */
interface DumpedRun extends Pace {
  readonly net: readonly NetClientConfig[];
  /** Nanoseconds since 1970 (UTC) at power-on. */
  readonly wallClock: bigint;
}

/** Where a dump's bytes go, by its id. */
export type DumpTo = (id: string, bytes: Uint8Array) => void;

/** Packets kept for hubs and taps, which hand on what waited. */
const MOST_KEPT = 2048;

/** A packet at the sender's end of a wire, which may turn out to lead nowhere. */
interface Handed {
  readonly sender: string;
  readonly packet: number;
  readonly bytes: Uint8Array;
  readonly ns: Ns;
}

/** Who writes packets of a run down; undefined: nobody is asked to. */
export function dumpedOf(
  dumps: readonly DumpOption[],
  { description, wallClock }: { readonly description: MachineDescription; readonly wallClock: bigint },
  to: DumpTo | undefined,
): Dumped | undefined {
  if (dumps.length === 0 || to === undefined) return undefined;
  return new Dumped({ ...description, net: wiresOf(description), wallClock }, dumps, to);
}

/** A reader of a run that dumps packets. To be told every event, in order. */
export class Dumped {
  private readonly run: DumpedRun;
  private readonly dumps: readonly DumpOption[];
  private readonly to: DumpTo;
  private readonly clock;
  private readonly kept = new Map<number, Uint8Array>();
  private handed: Handed | undefined;
  /** What is to be written: nobody writes while the machine runs. */
  private pieces: { readonly id: string; readonly bytes: Uint8Array }[] = [];

  constructor(run: DumpedRun, dumps: readonly DumpOption[], to: DumpTo) {
    this.run = run;
    this.dumps = dumps;
    this.to = to;
    this.clock = eventClock(run);
    this.pieces = dumps.map(({ id, most }) => ({ id, bytes: pcapHead(most) }));
  }

  next(stamped: Stamped): void {
    const ns = this.clock.ns(stamped);
    const { event } = stamped;
    this.handOn(event.kind === 'sim:packet_dropped' ? event : undefined);
    if (event.kind === 'sim:packet_sent') this.sent(event, ns);
    else if (event.kind === 'sim:packet_forwarded') this.forwarded(event, ns);
    else if (event.kind === 'sim:tap_queued' && event.bytes.length > 0) this.keep(event);
    else if (event.kind === 'sim:tap_read') this.read(event, ns);
  }

  private sent(event: EventOf<'sim:packet_sent'>, ns: Ns): void {
    this.keep(event);
    const { client: sender, packet, bytes } = event;
    // What the kernel has made of a packet goes on when it is read.
    const client = this.clientNamed(sender);
    if (client === undefined || !isTap(client)) this.handed = { sender, packet, bytes, ns };
  }

  /** What comes from the kernel passes the tap when QEMU reads it. */
  private read({ client: sender, packet }: EventOf<'sim:tap_read'>, ns: Ns): void {
    const bytes = this.kept.get(packet);
    if (bytes !== undefined) this.pass({ sender, packet, bytes, ns }, this.clientNamed(sender)?.peer);
  }

  /** Write what there is: the run is over, or stands for a while. */
  flush(): void {
    this.handOn(undefined);
    const { pieces } = this;
    this.pieces = [];
    for (const { id, bytes } of pieces) this.to(id, bytes);
  }

  /** What was sent has passed the wire, unless it was lost before it came there. */
  private handOn(lost: EventOf<'sim:packet_dropped'> | undefined): void {
    const { handed } = this;
    this.handed = undefined;
    if (handed === undefined) return;
    if (lost?.packet === handed.packet && lost.client === handed.sender) return;
    const peer = this.clientNamed(handed.sender)?.peer;
    this.pass(handed, peer);
  }

  /** A hub hands a packet to whoever is behind its other ports. */
  private forwarded({ client, hub, packet }: EventOf<'sim:packet_forwarded'>, ns: Ns): void {
    const bytes = this.kept.get(packet);
    if (bytes === undefined) return;
    for (const port of this.run.net) {
      if (port.hub !== hub || port.name === client) continue;
      this.pass({ sender: port.name, packet, bytes, ns }, port.peer);
    }
  }

  private pass({ sender, bytes, ns }: Handed, peer: string | undefined): void {
    for (const { id, netdev, queue, most } of this.dumps) {
      const passes = (queue !== 'rx' && netdev === sender) || (queue !== 'tx' && netdev === peer);
      if (passes) this.pieces.push({ id, bytes: pcapRecord(this.run.wallClock + BigInt(ns), bytes, most) });
    }
  }

  private keep({ packet, bytes }: Pick<EventOf<'sim:packet_sent'>, 'packet' | 'bytes'>): void {
    this.kept.set(packet, bytes);
    if (this.kept.size > MOST_KEPT) this.kept.delete(this.kept.keys().next().value!);
  }

  private clientNamed(name: string): NetClientConfig | undefined {
    return this.run.net.find((client) => client.name === name);
  }
}
