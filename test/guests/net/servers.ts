/** Servers of this machine, on its loopback, for guests that may reach them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Ports by name. */
export type Ports = Readonly<Record<string, number>>;

export interface Servers {
  readonly ports: Ports;
  /** Connections each has had. */
  readonly visits: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

async function listening(server: Server): Promise<number> {
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export const hasPython = (): boolean => spawnSync('python3', ['--version']).status === 0;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A server of HTTP: it gives `content`, and says of what it is given how long it is, and its hash. */
const web = (content: Uint8Array): Server =>
  createHttp((request, response) => {
    if (request.method !== 'POST') {
      response.end(content);
      return;
    }
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const bytes = Buffer.concat(parts);
      response.end(`${bytes.length} bytes, sha256 ${sha256(bytes)}\n`);
    });
  });

async function python(folder: string): Promise<{ readonly port: number; readonly process: ChildProcess } | undefined> {
  if (!hasPython()) return undefined;
  const process = spawn('python3', ['-u', '-m', 'http.server', '-b', LOOPBACK, '-d', folder, '0']);
  const [line] = (await once(process.stdout, 'data')) as [Buffer];
  return { port: Number(/port (\d+)/.exec(line.toString())?.[1]), process };
}

/** RFC 1350, 5. */
const TFTP = { READ: 1 };

/** Start them. `folder` has `one.bin`. */
export async function startServers(folder: string, content: Uint8Array): Promise<Servers> {
  const visits = new Map<string, number>();
  const sockets = new Set<Socket>();
  const servers: Record<string, Server> = {
    node: web(content),
    reset: createServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
    stall: createServer((socket) => socket.write('HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\npart')),
    unnamed: createServer((socket) => socket.end('secret')),
    refused: createServer(),
  };
  const ports: Record<string, number> = {};
  for (const [name, server] of Object.entries(servers)) {
    ports[name] = await listening(server);
    server.on('connection', (socket) => {
      visits.set(name, (visits.get(name) ?? 0) + 1);
      sockets.add(socket);
      socket.on('error', () => undefined);
    });
  }
  servers['refused']?.close();
  const datagrams = createSocket('udp4', (bytes, { port, address }) => {
    if (bytes[1] === TFTP.READ) datagrams.send(Buffer.from('\0\x03\0\x01hello'), port, address);
  });
  datagrams.bind(0, LOOPBACK);
  await once(datagrams, 'listening');
  ports['datagram'] = datagrams.address().port;
  const snake = await python(folder);
  ports['python'] = snake?.port ?? ports['node']!;
  return {
    ports,
    visits,
    async close() {
      for (const socket of sockets) socket.destroy();
      for (const server of Object.values(servers)) server.close();
      datagrams.close();
      snake?.process.kill();
    },
  };
}

/** A port nobody has now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, 'close');
  return port;
}
