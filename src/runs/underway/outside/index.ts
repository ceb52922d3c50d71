/** Frames that go out of a machine while it runs, and come from outside. A run that is run again opens no socket. */
import { Problem } from '../../../base/problem.ts';
import type { Stamped } from '../../../events/stamped.ts';
import type { EventOf } from '../../../events/vocabulary.ts';
import type { InputEvent } from '../../../machine/parts.ts';
import { type Outside, outsideOf } from '../../../net/frames/index.ts';
import { backendDriver, backendName } from '../../../vmm/pc/net-parts.ts';
import { setupOf } from '../../../vmm/pc/setup.ts';
import type { RunOptions } from '../../machine/run-options.ts';
import type { HostNetwork, HostPlace, World } from '../../world.ts';
import type { HostSockets } from '../host-sockets.ts';
import type { Carrier, Hears } from './carrier.ts';
import { DatagramCarrier } from './datagrams.ts';
import { SentPackets } from './sent-packets.ts';
import { type Naming, StreamCarrier } from './stream.ts';
import { TapCarrier } from './tap.ts';

/** A backend whose wire goes on outside. */
interface Joined {
  readonly dev: string;
  readonly type: string;
  readonly outside: Outside;
}

const joinedOf = ({ netdevs }: RunOptions): Joined[] =>
  netdevs.flatMap(({ type, id, properties, hub }, index) => {
    if (hub !== undefined) return [];
    const outside = outsideOf(type, setupOf(`-netdev ${type},id=${id}`, backendDriver(type)[1], properties));
    return outside === undefined ? [] : [{ dev: backendName(type, index), type, outside }];
  });

/** Open what a run's options ask for: undefined if that is nothing. Throws a Problem for what cannot be. */
export async function openOutside(
  { network }: Pick<World, 'network'>,
  options: RunOptions,
): Promise<OutsideWires | undefined> {
  const joined = joinedOf(options);
  if (joined.length === 0) return undefined;
  if (network === undefined) throw new Problem(`There are no sockets here for -netdev ${joined[0]!.type}.`);
  const wires = new OutsideWires(network, joined);
  try {
    await wires.open();
  } catch (error) {
    wires.close();
    throw error;
  }
  return wires;
}

/** A reader of a run that carries the frames its backends tell of, and sends what comes. */
export class OutsideWires implements HostSockets {
  private readonly carriers: ReadonlyMap<string, Carrier>;
  private readonly packets = new SentPackets();
  private early: InputEvent[] = [];
  private notices: string[] = [];
  private tell: (event: InputEvent) => void = (event) => void this.early.push(event);

  constructor(network: HostNetwork, joined: readonly Joined[]) {
    const hears: Hears = {
      send: (event) => this.tell(event),
      notice: (sentence) => void this.notices.push(sentence),
    };
    this.carriers = new Map(joined.map((each) => [each.dev, carrierOf(network, each, hears)]));
  }

  get isAwaited(): boolean {
    return [...this.carriers.values()].some(({ isAwaited }) => isAwaited);
  }

  async open(): Promise<void> {
    for (const carrier of this.carriers.values()) await carrier.open();
  }

  join(send: (event: InputEvent) => void, _count: () => number, rouse: () => void): void {
    this.tell = (event) => {
      send(event);
      rouse();
    };
    for (const event of this.early.splice(0)) send(event);
  }

  next({ event }: Stamped): void {
    this.packets.next(event);
    switch (event.kind) {
      case 'sim:frame_left':
        this.left(event);
        return;
      case 'sim:frame_received':
      case 'sim:frame_held':
      case 'sim:frame_taken':
        this.carriers.get(event.dev)?.told(event.kind);
        return;
      default:
    }
  }

  takeNotices(): readonly string[] {
    return this.notices.splice(0);
  }

  close(): void {
    this.tell = () => undefined;
    for (const carrier of this.carriers.values()) carrier.close();
  }

  private left({ dev, packet }: EventOf<'sim:frame_left'>): void {
    const bytes = this.packets.bytesOf(packet);
    if (bytes !== undefined) this.carriers.get(dev)?.carry(bytes);
  }
}

function carrierOf(network: HostNetwork, { dev, type, outside }: Joined, hears: Hears): Carrier {
  if (outside.by === 'datagrams' || outside.by === 'group') return new DatagramCarrier(network, dev, outside, hears);
  if (outside.by === 'tap') return new TapCarrier(network, dev, outside.fd, hears);
  return new StreamCarrier(network, { dev, outside, naming: type === 'socket' ? OF_SOCKET : OF_STREAM }, hears);
}

const named = ({ host, port }: HostPlace): string => `${host}:${port}`;

const OF_STREAM: Naming = {
  joined: ({ at }, from) => (from === undefined ? `unix:${'path' in at ? at.path : ''}` : `tcp:${named(from)}`),
  failed: 'connection error',
  needsPlace: false,
};

const OF_SOCKET: Naming = {
  joined({ by, at }, from) {
    if ('fd' in at || from === undefined) return `socket: fd=${'fd' in at ? at.fd : ''}`;
    return `socket: ${by === 'listen' ? 'connection from' : 'connect to'} ${named(from)}`;
  },
  failed: '',
  needsPlace: true,
};
