import { printable } from '../base/printable.ts';
import { unreachable } from '../base/invariant.ts';
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { doorTo } from './door.ts';
import { type Arrival, type LineState, packetOf, hexText, receive } from './packet.ts';
import type { Conversation, Served } from './conversation.ts';

/** A gdb server. */
export interface GdbServer {
  /** Where gdb reaches it: `ADDRESS:PORT`. */
  readonly target: string;
  readonly port: number;
  /** Resolves once it listens to nobody any more. */
  readonly closed: Promise<void>;
  close(): void;
}

/** How a server is set up. */
export interface GdbServerOptions {
  /** The loopback interface, when absent. */
  readonly address?: string;
  readonly port: number;
  /** Leave after the first gdb has left. */
  readonly once: boolean;
  /** What a person at the terminal is told. */
  say(sentence: string): void;
}

/** Packets that may wait while the run is under way; gdb sends one at a time. */
const MOST_WAITING = 64;
/** Bytes of answers that may wait to be read. */
const MOST_UNREAD = 2 ** 24;

const LOOPBACK = '127.0.0.1';

/** Between two looks at a run somebody else drives. */
const RESTING_MS = 4;

const BREATH_MS = 1000;

/** SIGINT, as gdb numbers signals. */
const INTERRUPTED = '02';

interface Client {
  readonly socket: Socket;
  readonly talk: Conversation;
  readonly waiting: string[];
  isBusy: boolean;
  isInterrupted: boolean;
  isGone: boolean;
  isWarned: boolean;
  isKill: boolean;
  lastSent: string;
  say(sentence: string): void;
  /** Once it is gone and nothing it asked for is under way. */
  depart(): void;
}

/** Listen for one gdb at a time. */
export async function serveGdb(served: Served, options: GdbServerOptions): Promise<GdbServer> {
  let current: Client | undefined;
  const enter = (socket: Socket, line: LineState, arrivals: readonly Arrival[]): void => {
    const client = welcome(served, socket, options.say);
    current = client;
    // The next may come when nothing of this one is under way any more.
    client.depart = () => {
      current = undefined;
      served.left(client.isKill);
      options.say('gdb has left.');
      if (options.once) server.close();
    };
    socket.on('close', () => {
      client.isGone = true;
      if (!client.isBusy) client.depart();
    });
    hear(client, served, arrivals);
    socket.on('data', (bytes: Buffer) => hear(client, served, receive(line, bytes)));
  };
  const server = createServer(doorTo({ isTaken: () => current !== undefined, enter, say: options.say }));
  const { address, port } = await listening(server, options);
  if (!isLoopback(address)) options.say(exposed(address));
  const closed = new Promise<void>((resolve) => server.on('close', () => resolve()));
  return {
    target: `${isIPv6(address) ? `[${address}]` : address}:${port}`,
    port,
    closed,
    close() {
      current?.socket.destroy();
      server.close();
    },
  };
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

const exposed = (address: string): string =>
  `Warning: gdb's port is open on ${address}, not on loopback alone: whoever reaches it can read and change this run.`;

function listening(server: Server, { address = LOOPBACK, port }: GdbServerOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

function welcome(served: Served, socket: Socket, say: (sentence: string) => void): Client {
  const client: Client = {
    socket,
    talk: served.begin(),
    waiting: [],
    isBusy: false,
    isInterrupted: false,
    isGone: false,
    isWarned: false,
    isKill: false,
    lastSent: '',
    say,
    depart: () => undefined,
  };
  socket.setNoDelay(true);
  return client;
}

function hear(client: Client, served: Served, arrivals: readonly Arrival[]): void {
  // Whoever sends something else between packets is no gdb, whatever came before.
  if (arrivals.some(({ kind }) => kind === 'noise')) {
    client.say('What gdb sent is no packet: it was disconnected.');
    client.socket.destroy();
    return;
  }
  for (const arrival of arrivals) {
    if (arrival.kind === 'packet') takePacket(client, served, arrival.body);
    else if (arrival.kind === 'interrupt') client.isInterrupted = client.isBusy;
    else if (arrival.kind === 'nack') {
      // gdb also says so when it has waited for two seconds: the answer is on its way then.
      if (client.talk.acknowledges && !client.isBusy) write(client, client.lastSent);
    } else if (arrival.kind === 'malformed') {
      client.say(`A packet from gdb was not understood: ${arrival.why}.`);
      write(client, client.talk.acknowledges ? '-' : packetOf('E22'));
    }
  }
}

function takePacket(client: Client, served: Served, body: string): void {
  if (client.isGone) return;
  if (client.talk.acknowledges) write(client, '+');
  if (client.waiting.length >= MOST_WAITING) {
    client.say(`gdb sent more than ${MOST_WAITING} packets without waiting for an answer: it was disconnected.`);
    client.socket.destroy();
    return;
  }
  client.waiting.push(body);
  if (!client.isBusy) serveWaiting(client, served);
}

function send(client: Client, body: string): void {
  if (client.isGone) return;
  client.lastSent = packetOf(body);
  write(client, client.lastSent);
}

function write(client: Client, text: string): void {
  const { socket } = client;
  if (socket.destroyed || !socket.writable) return;
  if (socket.writableLength < MOST_UNREAD) {
    socket.write(text, 'latin1');
    return;
  }
  client.say('gdb asks and does not read the answers: it was disconnected.');
  socket.destroy();
}

function serveWaiting(client: Client, served: Served): void {
  while (!client.isBusy && !client.isGone) {
    const body = client.waiting.shift();
    if (body === undefined) return;
    const answer = guarded(client, () => client.talk.answer(body));
    if (answer === undefined) continue;
    switch (answer.kind) {
      case 'reply':
        send(client, answer.body);
        if (answer.then !== undefined) client.socket.end();
        client.isKill = answer.then === 'kill';
        break;
      case 'journey':
        travelOn(client, served, answer.journey, (stop) => {
          for (const notice of served.takeNotices()) send(client, `O${hexText(printable(notice))}`);
          send(client, client.talk.arrive(stop));
        });
        break;
      case 'sentences':
        travelOn(client, served, breathing(client, answer.sentences), (text) => {
          client.talk.told();
          send(client, hexText(printable(`${text}\n`)));
        });
        break;
      default:
        unreachable(answer);
    }
  }
}

/** Said once: what is shown from there on is not what was recorded. */
function warnOfDivergence(client: Client, served: Served): void {
  const problem = served.problem();
  if (problem === undefined || client.isWarned) return;
  client.isWarned = true;
  client.say(problem);
}

/** Empty console output now and then: gdb takes two seconds of silence after a `monitor` command for an error. */
function* breathing<T>(client: Client, way: Generator<void, T, void>): Generator<void, T, void> {
  let heard = performance.now();
  try {
    for (;;) {
      const { done, value } = way.next();
      if (done === true) return value;
      if (performance.now() - heard > BREATH_MS) {
        write(client, packetOf('O'));
        heard = performance.now();
      }
      yield;
    }
  } finally {
    way.return(undefined as never);
  }
}

/** What goes wrong is answered, and the server goes on: a fork's guest may be in any state. */
function guarded<T>(client: Client, attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    client.say(`The run could not go on: ${why}`);
    send(client, `E.The run could not go on: ${why}`);
    return undefined;
  }
}

/** Drive a journey piece by piece, and look at the line between two. */
function travelOn<T>(client: Client, served: Served, way: Generator<void, T, void>, end: (at: T) => void): void {
  client.isBusy = true;
  client.isInterrupted = false;
  const goOn = (): void => {
    if (client.isGone) {
      way.return(undefined as never);
      client.isBusy = false;
      client.depart();
      return;
    }
    if (client.isInterrupted) {
      way.return(undefined as never);
      travelOn(client, served, client.talk.halt(), (stop) => send(client, client.talk.arrive(stop, INTERRUPTED)));
      return;
    }
    const next = guarded(client, () => way.next());
    if (next === undefined) {
      client.isBusy = false;
      serveWaiting(client, served);
      return;
    }
    const { done, value } = next;
    if (done !== true) {
      if (served.rests()) setTimeout(goOn, RESTING_MS);
      else setImmediate(goOn);
      return;
    }
    client.isBusy = false;
    warnOfDivergence(client, served);
    end(value);
    serveWaiting(client, served);
  };
  goOn();
}
