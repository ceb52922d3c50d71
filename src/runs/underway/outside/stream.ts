import { Problem } from '../../../base/problem.ts';
import type { EventKind } from '../../../events/vocabulary.ts';
import type { Outside, SocketPlace } from '../../../net/frames/outside.ts';
import { LONGEST_FRAME } from '../../../net/frames/state.ts';
import { FramedReader, framed } from '../../../packets/framed.ts';
import type { HostNetwork, HostPlace, HostStream, StreamHears } from '../../world.ts';
import type { Carrier, Hears } from './carrier.ts';
import { Inward } from './inward.ts';

type ByStream = Extract<Outside, { readonly by: 'listen' | 'connect' }>;

/** Bytes that nobody at the other end has taken, before the guest's packets wait. */
const MOST_UNTAKEN = 256 * 1024;

/** Those who come while somebody is there wait; others are sent away. */
const MOST_VISITORS = 8;

/** How a backend's monitor names who is there. */
export interface Naming {
  /** A connection stands, or a visitor has come; from: undefined where he has no address. */
  joined(outside: ByStream, from: HostPlace | undefined): string;
  /** Nothing came of it. */
  readonly failed: string;
  /** A run without a place to wait at does not begin. */
  readonly needsPlace: boolean;
}

/** Somebody who has come, or is connected to. */
interface Visitor {
  readonly stream: HostStream;
  readonly from: HostPlace | undefined;
}

const placeText = (at: SocketPlace): string =>
  'path' in at ? at.path : 'fd' in at ? `descriptor ${at.fd}` : `${at.host}:${at.port}`;

/** Frames by one connection at a time. */
export class StreamCarrier implements Carrier {
  readonly dev: string;
  private readonly network: HostNetwork;
  private readonly outside: ByStream;
  private readonly naming: Naming;
  private readonly hears: Hears;
  private readonly inward: Inward;
  private visitors: Visitor[] = [];
  private stopsListening: (() => void) | undefined;
  private reader = new FramedReader(LONGEST_FRAME);
  private joined: Visitor | undefined;
  private isConnecting = false;
  private untaken = 0;
  private isStalled = false;

  constructor(
    network: HostNetwork,
    { dev, outside, naming }: { readonly dev: string; readonly outside: ByStream; readonly naming: Naming },
    hears: Hears,
  ) {
    this.network = network;
    this.dev = dev;
    this.outside = outside;
    this.naming = naming;
    this.hears = hears;
    this.inward = new Inward(hears.send, () => this.joined?.stream.resume());
  }

  get isAwaited(): boolean {
    return this.stopsListening !== undefined || this.joined !== undefined || this.isConnecting;
  }

  async open(): Promise<void> {
    const { by, at } = this.outside;
    if (by === 'listen') await this.listen(at);
    else if (!('fd' in at && this.naming.needsPlace)) this.connect(at, () => undefined);
    else if ((await new Promise<number>((over) => this.connect(at, over))) !== 0) {
      throw new Problem(`Cannot use descriptor ${at.fd}: it is no open connection.`);
    }
  }

  carry(frame: Uint8Array): void {
    const to = this.joined;
    if (to === undefined) return;
    const bytes = framed(frame);
    this.untaken += bytes.length;
    to.stream.write(bytes, () => {
      if (this.joined !== to) return;
      this.untaken -= bytes.length;
      if (this.isStalled && this.untaken <= MOST_UNTAKEN / 2) this.stall(false);
    });
    if (!this.isStalled && this.untaken > MOST_UNTAKEN) this.stall(true);
  }

  told(kind: EventKind): void {
    this.inward.told(kind);
  }

  close(): void {
    this.stopsListening?.();
    this.stopsListening = undefined;
    const { joined } = this;
    this.joined = undefined;
    this.isConnecting = false;
    for (const { stream } of this.visitors.splice(0)) stream.destroy();
    if (joined !== undefined) leave(joined.stream);
  }

  /** It does not come behind frames that wait: what leaves has nothing to do with what comes. */
  private stall(stalled: boolean): void {
    this.isStalled = stalled;
    this.hears.send({ kind: 'sim:frames_stalled', dev: this.dev, stalled });
  }

  /** over: it stands, or an errno says why it does not. */
  private connect(at: SocketPlace, over: (errno: number) => void): void {
    this.isConnecting = true;
    let visitor: Visitor | undefined;
    const heard = this.heard(() => visitor);
    const stream = this.network.connect(at, {
      ...heard,
      opened: (errno, from) => {
        if (!this.isConnecting) return;
        this.isConnecting = false;
        if (errno !== 0) this.failed(`nobody answers at ${placeText(at)} (errno ${errno})`);
        else this.join((visitor = { stream, from }));
        over(errno);
      },
    });
  }

  private async listen(at: SocketPlace): Promise<void> {
    try {
      this.stopsListening = await this.network.listen(at, (stream, from) => this.visit(stream, from));
    } catch (error) {
      if (this.naming.needsPlace || !(error instanceof Problem)) throw error;
      this.failed(error.message.replace(/\.$/, ''));
    }
  }

  private failed(why: string): void {
    this.hears.notice(`${this.dev}: ${why}: its guest is alone.`);
    this.off(this.naming.failed, why);
  }

  private off(info: string, why: string): void {
    this.inward.add({ kind: 'sim:carrier_set', dev: this.dev, up: false, info, why });
  }

  private visit(stream: HostStream, from: HostPlace): StreamHears {
    // Who comes by a path has no address.
    const visitor: Visitor = { stream, from: from.host === '' ? undefined : from };
    if (this.joined === undefined) this.join(visitor);
    else if (this.visitors.length < MOST_VISITORS) this.visitors.push(visitor);
    else stream.destroy();
    return { ...this.heard(() => visitor), opened: () => undefined };
  }

  private join(visitor: Visitor): void {
    this.joined = visitor;
    this.reader = new FramedReader(LONGEST_FRAME);
    this.untaken = 0;
    this.isStalled = false;
    const info = this.naming.joined(this.outside, visitor.from);
    this.inward.add({ kind: 'sim:carrier_set', dev: this.dev, up: true, info, why: 'connected' });
    if (this.inward.isOpen) visitor.stream.resume();
  }

  private heard(of: () => Visitor | undefined): Omit<StreamHears, 'opened'> {
    const isJoined = (): boolean => this.joined !== undefined && this.joined === of();
    const gone = (why: string): void => {
      if (isJoined()) this.over(why);
      else this.visitors = this.visitors.filter((each) => each !== of());
    };
    return {
      data: (bytes) => {
        if (isJoined()) this.data(bytes);
      },
      ended: () => gone('ended'),
      reset: (errno) => gone(`reset (errno ${errno})`),
    };
  }

  private data(bytes: Uint8Array): void {
    for (const frame of this.reader.add(bytes)) {
      this.inward.add({ kind: 'sim:frame_received', dev: this.dev, bytes: frame });
    }
    const { tooLong } = this.reader;
    if (tooLong !== undefined) this.over(`a frame of ${tooLong} bytes is too long`);
    else if (!this.inward.isOpen) this.joined?.stream.pause();
  }

  /** Who was there is not any more: who waits is next. */
  private over(why: string): void {
    const { joined, reader } = this;
    this.joined = undefined;
    const cut = reader.isInside && reader.tooLong === undefined ? ' in the middle of a frame' : '';
    if (cut !== '' || reader.tooLong !== undefined) {
      this.hears.notice(`${this.dev}: the connection is over: ${why}${cut}.`);
    }
    if (joined !== undefined) leave(joined.stream);
    this.off('', `${why}${cut}`);
    const next = this.visitors.shift();
    if (next !== undefined) this.join(next);
  }
}

/** It still says what was written. */
function leave(stream: HostStream): void {
  stream.shut();
  stream.leave();
}
