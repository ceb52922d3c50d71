/** What packets cost a machine: exits, trips to user space, interrupts and copies, by card and way. */
import type { Seq } from '../../base/units.ts';
import { namesOf } from '../../events/named-numbers.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { MachineEvent } from '../../events/vocabulary.ts';
import { EXIT_REASON } from '../../x86/controls.ts';

/** Out of the guest, or into it. */
export type Way = 'TX' | 'RX';

/** Packets that went through a card one way, and what they led to and came of, altogether. */
export interface PacketCosts {
  readonly card: string;
  readonly way: Way;
  readonly packets: number;
  /** By their reasons. */
  readonly exits: ReadonlyMap<string, number>;
  /** Exits that went to user space. */
  readonly userExits: number;
  /** Interrupts a processor took. */
  readonly interrupts: number;
  /** Times that a packet's bytes were copied: between guest and host, between processes and the host's kernel. */
  readonly copies: number;
  readonly events: number;
}

/** A chain of events that begins with an exit or an input, and what it did. */
interface Tree {
  packets: { readonly card: string; readonly way: Way }[];
  exit: string | undefined;
  userExits: number;
  interrupts: number;
  copies: number;
  events: number;
}

/** Trees that may still grow; an older one is counted as it is. */
const MOST_GROWING = 1 << 14;

/** A reader of a run that counts what packets of its cards cost. To be told every event, in order. */
export class PacketCostCounts {
  private readonly cards: ReadonlySet<string>;
  /** By the number of the event they begin with. */
  private readonly trees = new Map<Seq, Tree>();
  /** By event: what its tree begins with. */
  private readonly beginOf: Seq[] = [];
  private readonly sums = new Map<string, Sum>();
  /** Clients that are taps: what QEMU writes to or reads from one is copied; what a worker moves is not. */
  private readonly taps = new Set<string>();

  /** `cards`: clients that are cards. */
  constructor(cards: readonly string[]) {
    this.cards = new Set(cards);
  }

  next({ seq, cause, within, event }: Stamped): void {
    const above = this.belongs(event, cause ?? (event.kind === 'kvm_exit' ? undefined : within));
    const begin = above ?? seq;
    let tree = this.trees.get(begin);
    if (tree === undefined) {
      tree = emptyTree();
      this.trees.set(begin, tree);
      this.letGo();
    }
    this.beginOf[seq] = begin;
    this.note(event);
    this.count(tree, event);
  }

  private letGo(): void {
    for (const [begin, tree] of this.trees) {
      if (this.trees.size <= MOST_GROWING) return;
      this.trees.delete(begin);
      this.sum(this.sums, tree);
    }
  }

  /** What a peer sends a card begins a tree of its own, also when it answers what the guest has sent. */
  private belongs(event: MachineEvent, cause: Seq | undefined): Seq | undefined {
    const begin = cause === undefined ? undefined : this.beginOf[cause];
    const tree = begin === undefined ? undefined : this.trees.get(begin);
    const isPeers = event.kind === 'sim:packet_sent' && !this.cards.has(event.client);
    return tree === undefined || (isPeers && tree.exit !== undefined) ? undefined : begin;
  }

  private count(tree: Tree, event: MachineEvent): void {
    tree.events += 1;
    if (event.kind === 'kvm_exit') tree.exit = reasonOf(event.exit_reason);
    else if (event.kind === 'kvm_userspace_exit') tree.userExits += 1;
    else if (event.kind === 'kvm_inj_virq') tree.interrupts += 1;
    else if (event.kind === 'sim:packet_sent' && this.cards.has(event.client)) {
      tree.packets.push({ card: event.client, way: 'TX' });
      tree.copies += 1;
    } else if (event.kind === 'sim:packet_delivered' && this.cards.has(event.client)) {
      tree.packets.push({ card: event.client, way: 'RX' });
      tree.copies += 1;
    } else if (this.isCopy(event)) tree.copies += 1;
  }

  /** Which clients QEMU has as taps. */
  private note(event: MachineEvent): void {
    if (event.kind === 'sim:tap_ioctl' && event.cmd === 'TUNSETIFF') this.taps.add(event.client);
    else if (event.kind === 'sim:vhost_ioctl') this.taps.delete(event.client);
  }

  /** The packet's bytes go from one memory to another, besides those of a card. */
  private isCopy(event: MachineEvent): boolean {
    switch (event.kind) {
      case 'sim:packet_delivered':
      case 'sim:tap_read':
        return this.taps.has(event.client);
      case 'sim:frame_left':
      case 'sim:frame_received':
        // A tap whose bridge is elsewhere hands on what has been copied.
        return !event.dev.startsWith('tap#');
      default:
        return false;
    }
  }

  private sum(sums: Map<string, Sum>, tree: Tree): void {
    const [first] = tree.packets;
    if (first === undefined) return;
    const name = `${first.card} ${first.way}`;
    const sum = sums.get(name) ?? new Sum(first.card, first.way);
    sums.set(name, sum);
    sum.add(tree);
  }

  /** By card, what it sends first. Nothing more may be told. */
  get rows(): PacketCosts[] {
    for (const tree of this.trees.values()) this.sum(this.sums, tree);
    this.trees.clear();
    return [...this.sums.values()].sort((one, other) => inOrder(one.card, other.card) || (one.way === 'TX' ? -1 : 1));
  }
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

class Sum implements PacketCosts {
  readonly card: string;
  readonly way: Way;
  readonly exits = new Map<string, number>();
  packets = 0;
  userExits = 0;
  interrupts = 0;
  copies = 0;
  events = 0;

  constructor(card: string, way: Way) {
    this.card = card;
    this.way = way;
  }

  add({ packets, exit, userExits, interrupts, copies, events }: Tree): void {
    this.packets += packets.length;
    if (exit !== undefined) this.exits.set(exit, (this.exits.get(exit) ?? 0) + 1);
    this.userExits += userExits;
    this.interrupts += interrupts;
    this.copies += copies;
    this.events += events;
  }
}

const emptyTree = (): Tree => ({ packets: [], exit: undefined, userExits: 0, interrupts: 0, copies: 0, events: 0 });

const reasonOf = (reason: number): string =>
  namesOf('kvm_exit', 'exit_reason')?.nameOf(reason & EXIT_REASON.BASIC) ?? `0x${reason.toString(16)}`;
