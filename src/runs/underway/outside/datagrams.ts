import type { EventKind } from '../../../events/vocabulary.ts';
import type { Outside } from '../../../net/frames/outside.ts';
import type { HostDatagrams, HostNetwork, HostPlace } from '../../world.ts';
import type { Carrier, Hears } from './carrier.ts';
import { Inward } from './inward.ts';

/** Frames that wait for the guest: others are lost, as datagrams may be. */
const MOST_WAITING = 256;

type ByDatagrams = Extract<Outside, { readonly by: 'datagrams' | 'group' }>;

/** A frame in each datagram, to one place, from whoever sends here. */
export class DatagramCarrier implements Carrier {
  readonly dev: string;
  readonly isAwaited = true;
  private readonly network: HostNetwork;
  private readonly outside: ByDatagrams;
  private readonly to: HostPlace;
  private readonly inward: Inward;
  private readonly hears: Hears;
  private lost = 0;
  private socket: HostDatagrams | undefined;

  constructor(network: HostNetwork, dev: string, outside: ByDatagrams, hears: Hears) {
    this.network = network;
    this.dev = dev;
    this.outside = outside;
    this.to = outside.by === 'group' ? outside.group : outside.remote;
    this.hears = hears;
    this.inward = new Inward(hears.send, () => undefined);
  }

  async open(): Promise<void> {
    const { network, outside } = this;
    const came = (bytes: Uint8Array): void => this.came(bytes);
    this.socket =
      outside.by === 'group'
        ? await network.groupAt(outside.group, outside.own, came)
        : await network.datagramsAt(outside.local, came);
  }

  carry(frame: Uint8Array): void {
    this.socket?.send(frame, this.to);
  }

  told(kind: EventKind): void {
    this.inward.told(kind);
  }

  close(): void {
    this.socket?.close();
    this.socket = undefined;
  }

  private came(bytes: Uint8Array): void {
    if (this.inward.length >= MOST_WAITING) {
      this.lose();
      return;
    }
    this.inward.add({ kind: 'sim:frame_received', dev: this.dev, bytes: Uint8Array.from(bytes) });
  }

  /** A person is told of the first, and later of ten times as many. */
  private lose(): void {
    this.lost += 1;
    if (!/^10*$/.test(`${this.lost}`)) return;
    const what = this.lost === 1 ? 'a frame is' : `${this.lost} frames are`;
    this.hears.notice(`${this.dev}: ${what} lost: the guest takes none of those that wait.`);
  }
}
