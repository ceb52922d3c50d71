import type { EventKind } from '../../../events/vocabulary.ts';
import type { HostNetwork, HostTap } from '../../world.ts';
import type { Carrier, Hears } from './carrier.ts';
import { Inward } from './inward.ts';

/** Frames by an interface of the host's kernel. */
export class TapCarrier implements Carrier {
  readonly dev: string;
  readonly isAwaited = true;
  private readonly network: HostNetwork;
  private readonly fd: number;
  private readonly inward: Inward;
  private tap: HostTap | undefined;

  constructor(network: HostNetwork, dev: string, fd: number, { send }: Hears) {
    this.network = network;
    this.dev = dev;
    this.fd = fd;
    this.inward = new Inward(send, () => undefined);
  }

  async open(): Promise<void> {
    const came = (bytes: Uint8Array): void => this.inward.add({ kind: 'sim:frame_received', dev: this.dev, bytes });
    this.tap = this.network.openTap(this.fd, () => this.inward.isOpen, came);
  }

  carry(frame: Uint8Array): void {
    this.tap?.send(frame);
  }

  told(kind: EventKind): void {
    this.inward.told(kind);
  }

  close(): void {
    this.tap?.close();
    this.tap = undefined;
  }
}
