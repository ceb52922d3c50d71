import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect, createServer, isIPv6, type NetConnectOpts, Socket } from 'node:net';
import { Problem } from '../base/problem.ts';
import type { HostAddress, HostDatagrams, HostNetwork, HostPlace, HostStream, StreamHears } from '../runs/world.ts';
import { joinProgram } from './joined-program.ts';
import { removeSocket } from './socket.ts';
import { openTap } from './tap-file.ts';

/** Linux' numbers, whatever this host's are: they go on record. */
const ERRNO: Readonly<Record<string, number>> = {
  ...{
    EPERM: 1,
    ENOENT: 2,
    EBADF: 9,
    EACCES: 13,
    EINVAL: 22,
    EPIPE: 32,
    EADDRNOTAVAIL: 99,
    ENETUNREACH: 101,
    ECONNABORTED: 103,
  },
  ...{ ECONNRESET: 104, ETIMEDOUT: 110, ECONNREFUSED: 111, EHOSTDOWN: 112, EHOSTUNREACH: 113 },
};
const EIO = 5;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';
const errnoOf = (error: unknown): number => ERRNO[codeOf(error)] ?? EIO;

function streamOf(socket: Socket): HostStream {
  return {
    write: (bytes, taken) => void socket.write(bytes, (error) => (error ? undefined : taken())),
    shut: () => void socket.end(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    leave: () => void socket.unref(),
    destroy: () => void socket.resetAndDestroy(),
  };
}

/** Who is at the other end; undefined: he has no address. */
const placeOf = ({ remoteAddress: host, remotePort: port }: Socket): HostPlace | undefined =>
  host === undefined || port === undefined ? undefined : { host, port };

/** Tell what happens to a socket. `isOpen`: it stands already. */
function heard(socket: Socket, hears: StreamHears, isOpen: boolean): void {
  let opened = isOpen;
  socket.on('connect', () => {
    opened = true;
    hears.opened(0, placeOf(socket));
  });
  socket.on('data', (bytes: Uint8Array) => hears.data(bytes));
  socket.on('end', () => hears.ended());
  socket.on('error', (error) => (opened ? hears.reset(errnoOf(error)) : hears.opened(errnoOf(error))));
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken',
  EACCES: 'permission is denied',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such host',
  ENOENT: 'there is no such folder',
  EBADF: 'it is not open',
};

const textOf = (at: HostAddress): string =>
  'path' in at ? at.path : 'fd' in at ? `descriptor ${at.fd}` : `${at.host}:${at.port}`;

function problem(at: HostAddress, protocol: string, error: unknown): Problem {
  const why = REASONS[codeOf(error)] ?? (error as Error).message;
  return new Problem(`Cannot listen at ${protocol} ${textOf(at)}: ${why}.`);
}

function bound(socket: DatagramSocket, { host, port }: HostPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, host, () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve();
    });
  });
}

/** A connection that whoever started this process has opened. */
function adopted(fd: number, hears: StreamHears): HostStream {
  try {
    const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    socket.pause();
    heard(socket, hears, true);
    queueMicrotask(() => hears.opened(0, placeOf(socket)));
    return streamOf(socket);
  } catch (error) {
    queueMicrotask(() => hears.opened(codeOf(error) === 'ERR_INVALID_FD_TYPE' ? ENOTSOCK : errnoOf(error)));
    return NOBODY;
  }
}

/** Each end says its own end, and nothing is waited for. */
const OPEN_ENDED = { allowHalfOpen: true, noDelay: true } as const;

const NOBODY: HostStream = {
  write: () => undefined,
  shut: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  leave: () => undefined,
  destroy: () => undefined,
};

/** A socket of datagrams that belongs to a group once it is there. */
async function joined(
  group: HostPlace,
  own: string | undefined,
  came: (bytes: Uint8Array, from: HostPlace) => void,
): Promise<DatagramSocket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (bytes, { address, port }) => came(bytes, { host: address, port }));
  try {
    await bound(socket, group);
    socket.addMembership(group.host, own);
    socket.setMulticastLoopback(true);
    if (own !== undefined) socket.setMulticastInterface(own);
  } catch (error) {
    socket.close();
    throw problem(group, 'udp', error);
  }
  return socket;
}

const datagramsOf = (socket: DatagramSocket): HostDatagrams => ({
  send: (bytes, to) => void socket.send(bytes, to.port, to.host, () => undefined),
  close: () => void socket.close(),
});

/** Sockets of this process. */
export const HOST_NETWORK: HostNetwork = {
  connect(to, hears) {
    if ('fd' in to) return adopted(to.fd, hears);
    const socket = connect({ ...to, ...OPEN_ENDED } as NetConnectOpts);
    socket.pause();
    heard(socket, hears, false);
    return streamOf(socket);
  },
  run: joinProgram,
  listen(at, visited) {
    if ('path' in at) removeSocket(at.path);
    const server = createServer({ ...OPEN_ENDED, pauseOnConnect: true }, (socket) => {
      const from = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
      heard(socket, visited(streamOf(socket), from), true);
    });
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(problem(at, 'tcp', error)));
      server.listen(at, () => resolve(() => void server.close()));
    });
  },
  datagramsTo({ host, port }, came, failed) {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const waiting: Uint8Array[] = [];
    let isConnected = false;
    const said = (error: Error | null): void => (error === null ? undefined : failed(errnoOf(error)));
    socket.on('message', (bytes) => came(bytes));
    socket.on('error', (error) => failed(errnoOf(error)));
    socket.connect(port, host, (error?: unknown) => {
      if (error !== undefined) {
        failed(errnoOf(error));
        return;
      }
      isConnected = true;
      for (const bytes of waiting.splice(0)) socket.send(bytes, said);
    });
    return {
      send(bytes) {
        if (isConnected) socket.send(bytes, said);
        else if (waiting.length < MOST_WAITING) waiting.push(bytes);
      },
      close: () => void socket.close(),
    };
  },
  async datagramsAt(at, came) {
    const socket = createSocket(isIPv6(at.host) ? 'udp6' : 'udp4');
    socket.on('message', (bytes, { address, port }) => came(bytes, { host: address, port }));
    try {
      await bound(socket, at);
    } catch (error) {
      socket.close();
      throw problem(at, 'udp', error);
    }
    return datagramsOf(socket);
  },
  groupAt: async (group, own, came) => datagramsOf(await joined(group, own, came)),
  openTap,
  async lookUp(name, family) {
    try {
      // A name that has addresses of the other family alone is one, too.
      const found = await lookup(name, { family, all: true }).catch(() => lookup(name, { all: true }));
      const own = found.filter((each) => each.family === family);
      return { addresses: own.map(({ address }) => address), errno: 0 };
    } catch (error) {
      const isUnknown = ['ENOTFOUND', 'ENODATA'].includes(codeOf(error));
      return { addresses: [], errno: isUnknown ? ENOENT : EIO };
    }
  },
};

const ENOENT = 2;
const ENOTSOCK = 88;

/** Datagrams that wait for a socket to be there. */
const MOST_WAITING = 16;
