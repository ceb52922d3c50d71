/** A machine without a guest whose network goes on outside by sockets of this process. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import type { MachineEvent } from '../../../../src/events/vocabulary.ts';
import { HOST_NETWORK } from '../../../../src/host/network.ts';
import type { InputEvent } from '../../../../src/machine/parts.ts';
import type { FramesState } from '../../../../src/net/frames/index.ts';
import { runOptions } from '../../../../src/options/run-arguments.ts';
import { FramedReader, framed } from '../../../../src/packets/framed.ts';
import { openSockets } from '../../../../src/runs/underway/open-sockets.ts';
import { type Bench, bench } from '../../../vmm/bench.ts';

export const LOOPBACK = '127.0.0.1';

/** A machine with one network `n0`, at whose other end is whoever runs it: `frames`, or a card that takes nothing. */
export interface Wired {
  readonly machine: Bench;
  readonly notices: string[];
  /** Inputs that wait. */
  readonly waiting: number;
  readonly isAwaited: boolean;
  /** What the machine says of its network. */
  readonly state: FramesState;
  /** Send a frame outside. */
  say(frame: Uint8Array): void;
  /** Frames that have come in, and those that left, since the beginning. */
  count(kind: 'sim:frame_left' | 'sim:frame_held' | 'sim:packet_sent' | 'sim:frame_refused'): number;
  /** Let sockets and machine go on until something is so. */
  until(isSo: () => boolean): Promise<void>;
  close(): void;
}

const LONGEST_WAIT_MS = 10_000;

export async function wired(netdev: string, { atCard = false } = {}): Promise<Wired> {
  const options = runOptions(['-nodefaults', '-netdev', `${netdev},id=n0`]);
  const sockets = await openSockets({ network: HOST_NETWORK, milliseconds: () => 0 }, options);
  const { netdevs } = options;
  const dev = `${netdevs[0]!.type}#0`;
  const machine = atCard
    ? bench({ netdevs, devices: [{ driver: 'e1000', properties: { netdev: 'n0', mac: '52:54:00:12:34:56' } }] })
    : bench({
        netdevs: [
          ...netdevs,
          { type: 'frames', id: 'n1', properties: {} },
          { type: 'hubport', id: 'h0', hub: 0, netdev: 'n0', properties: {} },
          { type: 'hubport', id: 'h1', hub: 0, netdev: 'n1', properties: {} },
        ],
      });
  const inputs: InputEvent[] = [];
  const notices: string[] = [];
  sockets?.join(
    (event) => void inputs.push(event),
    () => inputs.length,
    () => undefined,
    () => undefined,
  );
  let told = 0;
  const tell = (): void => {
    for (; told < machine.events.length; told++) sockets?.next({ event: machine.events[told]! } as never);
  };
  const turn = (): void => {
    for (const event of inputs.splice(0)) {
      machine.hear(event);
      tell();
    }
    notices.push(...(sockets?.takeNotices() ?? []));
  };
  return {
    machine,
    notices,
    get waiting() {
      return inputs.length;
    },
    get isAwaited() {
      return sockets?.isAwaited === true;
    },
    get state() {
      return (machine.state.vmm.devices as unknown as Record<string, FramesState>)[dev]!;
    },
    say(bytes) {
      const event: MachineEvent = { kind: 'sim:frame_received', dev: 'frames#1', bytes };
      machine.hear(event);
      tell();
    },
    count: (kind) => machine.events.filter((event) => event.kind === kind && nameOf(event) !== 'n1').length,
    async until(isSo) {
      const end = performance.now() + LONGEST_WAIT_MS;
      for (;;) {
        turn();
        if (isSo()) return;
        if (performance.now() > end) throw new Error('it does not come to that');
        await after(1);
      }
    },
    close: () => sockets?.close(),
  };
}

const nameOf = (event: MachineEvent): string | undefined =>
  'client' in event ? event.client : 'dev' in event ? event.dev.replace('frames#1', 'n1') : undefined;

/** Somebody outside, who speaks in frames. */
export class Outsider {
  readonly socket: Socket;
  readonly heard: Uint8Array[] = [];
  hasEnded = false;
  private readonly reader = new FramedReader(1 << 20);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => this.heard.push(...this.reader.add(bytes)));
    socket.on('end', () => (this.hasEnded = true));
    socket.on('error', () => undefined);
  }

  say(frame: Uint8Array): void {
    this.socket.write(framed(frame));
  }
}

export async function visit(at: { readonly port: number } | { readonly path: string }): Promise<Outsider> {
  const socket = connect({ host: LOOPBACK, ...at });
  await once(socket, 'connect');
  return new Outsider(socket);
}

/** Somebody who waits for a machine to connect. */
export async function waitFor(): Promise<{
  readonly port: number;
  readonly server: Server;
  come(): Promise<Outsider>;
}> {
  const server = createServer({ allowHalfOpen: false });
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { port, server, come: async () => new Outsider(((await once(server, 'connection')) as [Socket])[0]) };
}

/** A port nobody has now. */
export async function freePort(): Promise<number> {
  const { port, server } = await waitFor();
  server.close();
  await once(server, 'close');
  return port;
}
