import { closeSync, openSync, readSync } from 'node:fs';
import type { VirtioFunctionState } from '../../../src/devices/virtio/index.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import { BlockRequests, type ShadowedDrive } from './block-requests.ts';
import { DiskShadow, type Original } from './disk-shadow.ts';
import { GuestMemory } from './guest-memory.ts';
import { NetFrames } from './net-frames.ts';
import { QueueCount } from './queue-count.ts';
import type { RingPlace } from './ring.ts';

/** A virtio device as this account sees it. */
interface Account {
  readonly name: string;
  /** As many as there have been. */
  readonly queues: QueueCount[];
  readonly requests: BlockRequests;
  /** Of a network card. */
  readonly frames: NetFrames | undefined;
}

/** What was looked at, and what was wrong. */
export interface Conserved {
  readonly popped: number;
  readonly sectorsRead: number;
  readonly sectorsWritten: number;
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly violations: readonly string[];
}

const MOST_VIOLATIONS = 20;
const NO_BYTES = new Uint8Array(0);
const NIC = 'virtio-net-pci';
/** What a driver's write may have done to a queue besides. */
const MAY_RESET = new Set([
  ...['memory_region_ops_write', 'sim:virtio_window', 'sim:virtio_reset', 'sim:device_reset'],
  // Features bring queues, and take them.
  'sim:virtio_features',
]);

/**
 * Whether virtio devices conserve what drivers give them, event by event: chains popped are given back or in flight,
 * nothing is given back that was not made available, each read is what was last written to its sectors. Judged by guest
 * memory at each event, by what drivers have there: not by what serves them. To be told every event of a run.
 */
export class Conservation {
  readonly #machine: Machine;
  readonly #memory: GuestMemory;
  readonly #drives: ReadonlyMap<string, ShadowedDrive>;
  readonly #accounts = new Map<string, Account>();
  readonly #violations: string[] = [];
  readonly #packets = new Map<number, Uint8Array>();
  #popped = 0;
  #unsettled: { readonly account: Account; readonly queue: number; readonly ring: RingPlace } | undefined;

  /** `images`: what each drive held at first, by its id. */
  constructor(machine: Machine, images: ReadonlyMap<string, Original>) {
    this.#machine = machine;
    this.#memory = new GuestMemory(machine);
    this.#drives = new Map([...images].map(([id, image]) => [id, shadowed(machine, id, image)]));
  }

  get result(): Conserved {
    const compared = [...this.#accounts.values()].map(({ requests }) => requests.compared);
    return {
      popped: this.#popped,
      sectorsRead: compared.reduce((sum, { read }) => sum + read, 0),
      sectorsWritten: compared.reduce((sum, { written }) => sum + written, 0),
      framesSent: this.#framesOf('sent'),
      framesReceived: this.#framesOf('received'),
      violations: this.#violations,
    };
  }

  #framesOf(way: 'sent' | 'received'): number {
    return [...this.#accounts.values()].reduce((sum, { frames }) => sum + (frames?.compared[way] ?? 0), 0);
  }

  next(stamped: Stamped): void {
    this.#settle(stamped);
    const { event } = stamped;
    if ('client' in event) this.#wire(stamped);
    if (MAY_RESET.has(event.kind)) this.#noteResets();
    if (!('dev' in event)) return;
    const account = this.#accountOf(event.dev);
    if (account === undefined) return;
    const complain = (what: string): void => this.#complain(stamped, account.name, what);
    this.#count(account, stamped, complain);
    for (const [queue, count] of account.queues.entries()) {
      count.check(this.#stateOf(account).queues[queue]!, (what) => complain(`queue ${queue}: ${what}`));
    }
  }

  /** All that was written is what the drives hold: to be asked when the run is over. */
  checkDrives(): void {
    for (const [id, { shadow }] of this.#drives) {
      for (const sector of shadow.sectors) {
        const held = new Uint8Array(512);
        this.#machine.vmm.drives!.get(id)!.bytes.read(sector * 512, held);
        if (Buffer.compare(held, shadow.read(sector * 512, 512)) !== 0) {
          this.#violations.push(`At the end drive ${id} holds something else in sector ${sector} than was written.`);
        }
      }
    }
  }

  #count(account: Account, { event }: Stamped, complain: (what: string) => void): void {
    const { requests, queues, frames } = account;
    const memory = this.#memory;
    const rings = this.#stateOf(account).queues;
    switch (event.kind) {
      case 'virtio_queue_notify':
        queues[event.n]!.notified(memory, rings[event.n]!);
        return;
      case 'virtqueue_pop': {
        this.#popped += 1;
        const element = queues[event.queue]!.popped(memory, rings[event.queue]!, event, complain);
        requests.popped(memory, event.elem, element);
        frames?.popped(event.queue, event.elem, element);
        return;
      }
      case 'virtqueue_fill':
        queues[event.queue]!.filled(event, complain);
        requests.filled(memory, event.elem, complain);
        frames?.filled(this.#stateOf(account), event);
        return;
      case 'sim:virtqueue_unpop':
        queues[event.queue]!.unpopped(event, complain);
        return;
      case 'sim:virtqueue_detach':
        queues[event.queue]!.detached(event, complain);
        return;
      case 'virtqueue_flush':
        queues[event.queue]!.flushed(memory, rings[event.queue]!, event.count, complain);
        frames?.flushed(memory, this.#stateOf(account), event.queue, complain);
        this.#unsettled = { account, queue: event.queue, ring: placeOf(rings[event.queue]!) };
        return;
      case 'sim:disk_submitted':
        requests.submitted(event);
        return;
      case 'sim:disk_completed':
        requests.completed(memory, event);
        return;
      case 'virtio_blk_req_complete':
        requests.ended(memory, event, complain);
    }
  }

  /** Frames of cards, by what net clients tell. */
  #wire(stamped: Stamped): void {
    const { event } = stamped;
    if (event.kind === 'sim:packet_sent') this.#packets.set(event.packet, event.bytes);
    const client =
      'client' in event ? this.#machine.state.config.net?.find(({ name }) => name === event.client) : undefined;
    const account = client?.type === 'nic' ? this.#accountOf(client.part) : undefined;
    if (account?.frames === undefined) return;
    const { frames, name } = account;
    const complain = (what: string): void => this.#complain(stamped, name, what);
    if (event.kind === 'sim:packet_sent') frames.sent(this.#memory, this.#stateOf(account), event.bytes, complain);
    else if (event.kind === 'sim:packet_delivered') frames.arrived(this.#packets.get(event.packet) ?? NO_BYTES);
    else if (event.kind === 'sim:packet_dropped') frames.dropped();
  }

  #settle(stamped: Stamped): void {
    if (this.#unsettled === undefined) return;
    const { account, queue, ring } = this.#unsettled;
    this.#unsettled = undefined;
    account.queues[queue]!.settle(this.#memory, ring, (what) => this.#complain(stamped, account.name, what));
  }

  /** A queue that is as new is one that a driver, or the machine, has reset. */
  #noteResets(): void {
    for (const account of this.#accounts.values()) {
      for (const [queue, { lastAvail, usedIdx, elements }] of this.#stateOf(account).queues.entries()) {
        const count = account.queues[queue];
        if (count === undefined) continue;
        if (!count.isNew && lastAvail === 0 && usedIdx === 0 && elements.length === 0) count.reset();
      }
    }
  }

  #accountOf(name: unknown): Account | undefined {
    if (typeof name !== 'string' || !name.startsWith('virtio-')) return undefined;
    const known = this.#accounts.get(name);
    // Events of the bus have a model's name where others have a device's.
    const state = this.#stateOf({ name }) as VirtioFunctionState | undefined;
    const there = state?.queues.length ?? 0;
    known?.queues.splice(there);
    while (known !== undefined && known.queues.length < there) known.queues.push(new QueueCount());
    if (known !== undefined || state === undefined) return known;
    const queues = state.queues.map(() => new QueueCount());
    const frames = name.startsWith(NIC) ? new NetFrames() : undefined;
    const account = { name, queues, requests: new BlockRequests(this.#drives), frames };
    this.#accounts.set(name, account);
    return account;
  }

  #stateOf({ name }: Pick<Account, 'name'>): VirtioFunctionState {
    const devices = this.#machine.state.vmm.devices as unknown as Readonly<Record<string, VirtioFunctionState>>;
    return devices[name]!;
  }

  #complain({ seq, event }: Stamped, name: string, what: string): void {
    if (this.#violations.length < MOST_VIOLATIONS)
      this.#violations.push(`Event ${seq}, ${event.kind}, ${name}: ${what}`);
  }
}

function shadowed(machine: Machine, id: string, image: Original): ShadowedDrive {
  const { discards, rerror, werror } = machine.vmm.drives!.get(id)!.info;
  return {
    shadow: new DiskShadow(image),
    discards: discards === true,
    ignoresReadErrors: rerror === 'ignore',
    ignoresWriteErrors: werror === 'ignore',
  };
}

const placeOf = ({ size, desc, avail, used }: RingPlace): RingPlace => ({ size, desc, avail, used });

/** What image files held before the run, by the ids of their drives: read anew, past what serves the guest. */
export const originalsOf = (paths: ReadonlyMap<string, string>): ReadonlyMap<string, Original> =>
  new Map([...paths].map(([id, path]) => [id, { read: (offset, length) => bytesOf(path, offset, length) }]));

function bytesOf(path: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const file = openSync(path, 'r');
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes;
}
