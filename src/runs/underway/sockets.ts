/** Sockets of the host that user networking has while a run is under way. A run that is run again opens none. */
import { fromLatin1 } from '../../base/bytes.ts';
import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { InputEvent } from '../../machine/parts.ts';
import type { HostForward } from '../../net/user/forwards.ts';
import { hostForwardOf, leadsToProgram } from '../../net/user/forwards.ts';
import { commandWords } from '../../net/user/command-words.ts';
import { linesOf, type UserNetSetup } from '../../net/user/setup.ts';
import type { UserNetState } from '../../net/user/state.ts';
import { ipv4Text } from '../../packets/addresses.ts';
import { backendName } from '../../vmm/pc/net-parts.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { HostSockets, StateOf } from './host-sockets.ts';
import type { HostDatagrams, HostNetwork, HostPlace, HostStream, StreamHears, World } from '../world.ts';

/** Visitors that wait for the guest's network to take them; others are sent away. */
const MOST_VISITORS = 64;
/** So many bytes are taken before the guest is told, unless there are no more. */
const TOLD_AFTER = 32 * 1024;
/** Datagrams of the host's that wait for the guest to take them; others are lost, as they may be. */
const MOST_DATAGRAMS = 64;
/** How long somebody may be expected to answer a datagram: milliseconds. */
const ANSWERED_WITHIN = 5000;

type Send = (event: InputEvent) => void;

/** How a user network of the machine stands now. */
type UserNetOf = (dev: string) => UserNetState | undefined;

/** A user network that has the host's, as options say it. */
interface Joined {
  readonly dev: string;
  readonly forwards: readonly HostForward[];
}

const joinedOf = ({ netdevs }: RunOptions): Joined[] =>
  netdevs.flatMap(({ type, properties }, index) => {
    const {
      live = '',
      hostfwd = '',
      guestfwd = '',
    } = properties as Partial<Pick<UserNetSetup, 'live' | 'hostfwd' | 'guestfwd'>>;
    const runsPrograms = linesOf(guestfwd).some(leadsToProgram);
    if (type !== 'user' || (live === '' && hostfwd === '' && !runsPrograms)) return [];
    return [{ dev: backendName(type, index), forwards: linesOf(hostfwd).map(hostForwardOf) }];
  });

/** Open what a run's options ask for: undefined if that is nothing. Throws a Problem for a port that is taken. */
export async function openUserSockets(
  { network, milliseconds }: Pick<World, 'network' | 'milliseconds'>,
  options: RunOptions,
): Promise<Sockets | undefined> {
  const joined = joinedOf(options);
  if (joined.length === 0) return undefined;
  if (network === undefined)
    throw new Problem('There is no network of a host here for live=, hostfwd= and guestfwd=...-cmd: of -netdev user.');
  const sockets = new Sockets(network, milliseconds);
  try {
    for (const each of joined) await sockets.listen(each);
  } catch (error) {
    sockets.close();
    throw error;
  }
  return sockets;
}

const keyOf = ({ dev }: { readonly dev: string }, number: number): string => `${dev} ${number}`;

/** A reader of a run that does what user networking asks, and sends what comes of it. */
export class Sockets implements HostSockets {
  private readonly network: HostNetwork;
  private readonly milliseconds: () => number;
  private readonly streams = new Map<string, Stream>();
  private readonly visitors = new Map<string, Stream>();
  private readonly ways = new Map<string, { readonly socket: HostDatagrams; readonly to: HostPlace; isOwn: boolean }>();
  private readonly listening: (() => void)[] = [];
  private readonly bound = new Map<string, HostDatagrams>();
  private readonly kept: InputEvent[] = [];
  private send: Send = (event) => void this.kept.push(event);
  private rouse: () => void = () => undefined;
  private stateOf: UserNetOf = () => undefined;
  private count: () => number = () => this.kept.length;
  private visited = 0;
  private lookups = 0;
  private heardUntil = 0;
  private isClosed = false;

  constructor(network: HostNetwork, milliseconds: () => number) {
    this.network = network;
    this.milliseconds = milliseconds;
  }

  /** Where inputs go, how many of them wait there, whom to rouse for them, and what has just been heard of a guest. */
  join(send: Send, count: () => number, rouse: () => void, stateOf: StateOf): void {
    this.send = send;
    this.count = count;
    this.rouse = rouse;
    this.stateOf = (dev) => stateOf(dev) as UserNetState | undefined;
    for (const event of this.kept.splice(0)) send(event);
  }

  /** Somebody outside may be about to say something: a guest that idles waits for it in real time. */
  get isAwaited(): boolean {
    return (
      this.listening.length > 0 ||
      this.lookups > 0 ||
      [...this.streams.values()].some(({ isAwaited }) => isAwaited) ||
      this.milliseconds() < this.heardUntil ||
      this.bound.size > 0
    );
  }

  /** What fails a guest's network, it hears of by itself. */
  takeNotices(): readonly string[] {
    return [];
  }

  async listen({ dev, forwards }: Joined): Promise<void> {
    for (const [index, rule] of forwards.entries()) {
      const at = { host: ipv4Text(rule.hostAddress), port: rule.hostPort };
      const forward = index + 1;
      if (rule.protocol === 'udp') {
        const came = (bytes: Uint8Array, { host, port }: HostPlace): void =>
          this.datagram({ kind: 'sim:datagram_accepted', dev, forward, host, port, bytes: Uint8Array.from(bytes) });
        this.bound.set(keyOf({ dev }, forward), await this.network.datagramsAt(at, came));
      } else {
        this.listening.push(await this.network.listen(at, (stream, from) => this.visit(dev, forward, stream, from)));
      }
    }
  }

  next({ event }: Stamped): void {
    switch (event.kind) {
      case 'sim:socket_asked':
        this.asked(event);
        return;
      case 'sim:socket_sent':
        this.sent(event);
        return;
      case 'sim:socket_joined':
        this.joined(event);
        return;
      case 'sim:way_opened':
        this.openWay(event);
        return;
      case 'sim:datagram_sent':
        this.datagramSent(event);
        return;
      case 'sim:way_closed':
        this.closeWay(keyOf(event, event.way));
        return;
      case 'sim:name_asked':
        void this.lookUp(event);
        return;
      default:
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.send = () => undefined;
    for (const close of this.listening) close();
    for (const stream of [...this.streams.values(), ...this.visitors.values()]) stream.close();
    for (const key of this.ways.keys()) this.closeWay(key);
    for (const socket of this.bound.values()) socket.close();
  }

  private sent({ dev, connection }: EventOf<'sim:socket_sent'>): void {
    const app = this.stateOf(dev)?.tcp.connections[connection]?.app;
    if (app?.kind === 'live') this.streams.get(keyOf({ dev }, connection))?.write(fromLatin1(app.sent));
  }

  private datagramSent({ dev, way: number, offset, length }: EventOf<'sim:datagram_sent'>): void {
    const way = this.ways.get(keyOf({ dev }, number));
    const bytes = fromLatin1(this.stateOf(dev)?.packet.slice(offset, offset + length) ?? '');
    this.heardUntil = this.milliseconds() + ANSWERED_WITHIN;
    way?.socket.send(bytes, way.to);
  }

  private told(event: InputEvent): void {
    this.send(event);
    this.rouse();
  }

  private datagram(event: InputEvent): void {
    if (this.count() < MOST_DATAGRAMS) this.told(event);
  }

  private asked({ dev, connection, what, host, port, length }: EventOf<'sim:socket_asked'>): void {
    const key = keyOf({ dev }, connection);
    const stream = this.streams.get(key);
    if (what === 'open') this.begin(dev, connection, (hears) => this.network.connect({ host, port }, hears));
    else if (what === 'run') {
      this.begin(dev, connection, (hears) => this.network.run(commandWords(host) ?? [], hears));
    } else if (what === 'more') stream?.more(length);
    else if (what === 'shut') stream?.shut();
    else if (what === 'close') {
      this.streams.delete(key);
      stream?.close();
    }
  }

  private begin(dev: string, connection: number, socketFor: (hears: StreamHears) => HostStream): void {
    const key = keyOf({ dev }, connection);
    const opened = new Stream(
      (event) => this.told(event),
      () => this.streams.delete(key),
    );
    this.streams.set(key, opened);
    opened.name(dev, connection);
    opened.begin(socketFor(opened.hears));
  }

  private visit(dev: string, forward: number, socket: HostStream, from: HostPlace): StreamHears {
    const visitor = ++this.visited;
    const key = keyOf({ dev }, visitor);
    const stream: Stream = new Stream(
      (event) => this.told(event),
      () => this.streams.delete(stream.key),
    );
    stream.begin(socket);
    if (this.visitors.size >= MOST_VISITORS) {
      socket.destroy();
      return stream.hears;
    }
    this.visitors.set(key, stream);
    // An address of IPv4 that came to a socket of both.
    const host = from.host.replace(/^::ffff:/, '');
    this.told({ kind: 'sim:socket_accepted', dev, visitor, forward, host, port: from.port });
    return stream.hears;
  }

  private joined({ dev, connection, visitor }: EventOf<'sim:socket_joined'>): void {
    const key = keyOf({ dev }, visitor);
    const stream = this.visitors.get(key);
    this.visitors.delete(key);
    if (stream === undefined) return;
    if (connection === 0) {
      stream.close();
      return;
    }
    this.streams.set(keyOf({ dev }, connection), stream);
    stream.name(dev, connection);
  }

  private openWay({ dev, way, host_port: port, to: host, forward }: EventOf<'sim:way_opened'>): void {
    const to = { host, port };
    const known = this.bound.get(keyOf({ dev }, forward));
    const came = (bytes: Uint8Array): void =>
      this.datagram({ kind: 'sim:datagram_received', dev, way, bytes: Uint8Array.from(bytes) });
    const failed = (errno: number): void => this.datagram({ kind: 'sim:datagram_refused', dev, way, errno });
    const socket = known ?? this.network.datagramsTo(to, came, failed);
    this.ways.set(keyOf({ dev }, way), { socket, to, isOwn: known === undefined });
  }

  private closeWay(key: string): void {
    const way = this.ways.get(key);
    if (way?.isOwn === true) way.socket.close();
    this.ways.delete(key);
  }

  private async lookUp({ dev, query, name, type }: EventOf<'sim:name_asked'>): Promise<void> {
    const isFull = this.lookups >= MOST_VISITORS;
    this.lookups += 1;
    const found = isFull ? BUSY : await this.network.lookUp(name, type === 'AAAA' ? 6 : 4);
    this.lookups -= 1;
    this.told({ kind: 'sim:name_found', dev, query, addresses: found.addresses.join(' '), errno: found.errno });
  }
}

const BUSY = { addresses: [], errno: 11 };

/** One connection: no more is read of it than was asked for. */
class Stream {
  key = '';
  readonly hears: StreamHears;
  private readonly send: Send;
  private readonly over: () => void;
  private socket: HostStream | undefined;
  private of: { readonly dev: string; readonly connection: number } | undefined;
  private waiting: Uint8Array[] = [];
  private credit = 0;
  private written = 0;
  private taken = 0;
  private hasEnded = false;
  private toldEnd = false;
  private isShut = false;
  /** What became of a visitor before the guest's network knew him. */
  private wasLost = false;

  constructor(send: Send, over: () => void) {
    this.send = send;
    this.over = over;
    this.hears = {
      opened: (errno) => this.opened(errno),
      data: (bytes) => this.data(bytes),
      ended: () => {
        this.hasEnded = true;
        this.pass();
      },
      reset: (errno) => this.wasReset(errno),
    };
  }

  /** The host may say something yet. */
  get isAwaited(): boolean {
    return !this.toldEnd || this.written > 0;
  }

  begin(socket: HostStream): void {
    this.socket = socket;
  }

  name(dev: string, connection: number): void {
    this.of = { dev, connection };
    this.key = keyOf({ dev }, connection);
    if (this.wasLost) this.wasReset(0);
  }

  more(length: number): void {
    this.credit += length;
    this.pass();
    if (this.credit > 0) this.socket?.resume();
  }

  write(bytes: Uint8Array): void {
    this.written += bytes.length;
    this.socket?.write(bytes, () => {
      this.taken += bytes.length;
      this.written -= bytes.length;
      if (this.written > 0 && this.taken < TOLD_AFTER) return;
      const length = this.taken;
      this.taken = 0;
      if (this.of !== undefined) this.send({ kind: 'sim:socket_taken', ...this.of, length });
    });
  }

  shut(): void {
    this.isShut = true;
    this.socket?.shut();
  }

  /** Who has said all and heard all is left to say the rest; anybody else is cut off. */
  close(): void {
    const isDone = this.isShut && this.toldEnd;
    this.of = undefined;
    if (isDone) this.socket?.leave();
    else this.socket?.destroy();
  }

  private opened(errno: number): void {
    if (this.of !== undefined) this.send({ kind: 'sim:socket_opened', ...this.of, errno });
    if (errno !== 0) this.over();
  }

  private data(bytes: Uint8Array): void {
    this.waiting.push(Uint8Array.from(bytes));
    this.pass();
  }

  /** Hand on as much as was asked for. */
  private pass(): void {
    const { of } = this;
    if (of === undefined) return;
    while (this.credit > 0 && this.waiting.length > 0) {
      const first = this.waiting[0]!;
      const bytes = first.subarray(0, this.credit);
      if (bytes.length === first.length) this.waiting.shift();
      else this.waiting[0] = first.subarray(bytes.length);
      this.credit -= bytes.length;
      this.send({ kind: 'sim:socket_data', ...of, bytes });
    }
    if (this.credit === 0) this.socket?.pause();
    if (!this.hasEnded || this.toldEnd || this.waiting.length > 0) return;
    this.toldEnd = true;
    this.send({ kind: 'sim:socket_ended', ...of });
  }

  private wasReset(errno: number): void {
    if (this.of === undefined) {
      this.wasLost = true;
      return;
    }
    this.send({ kind: 'sim:socket_reset', ...this.of, errno });
    this.over();
  }
}
