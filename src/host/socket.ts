import { existsSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Problem } from '../base/problem.ts';
import type { SocketBackend } from '../runs/machine/run-options.ts';
import { MOST_KEPT, type Peer } from './peer.ts';
import { TELNET_GREETING, telnetInput, telnetOutput } from './telnet.ts';

type Address = SocketBackend['address'];

const named = (address: Address): string => ('path' in address ? address.path : `${address.host}:${address.port}`);

/** Open a socket as a backend asks: listening, or connected. `rouse` is called when there is something to do. */
export async function openSocket(backend: SocketBackend, rouse: () => void): Promise<Peer> {
  const joined = new Joined(backend.telnet, rouse);
  if (backend.server) await joined.listen(backend.address);
  else await joined.connect(backend.address);
  return joined;
}

class Joined implements Peer {
  where = '';
  private socket: Socket | undefined;
  private server: Server | undefined;
  private taken: Uint8Array[] = [];
  private kept = 0;
  private readonly telnet: boolean;
  private readonly rouse: () => void;

  constructor(telnet: boolean, rouse: () => void) {
    this.telnet = telnet;
    this.rouse = rouse;
  }

  get isHere(): boolean {
    return this.socket !== undefined;
  }

  get isBehind(): boolean {
    return (this.socket?.writableLength ?? 0) > MOST_KEPT;
  }

  take(): Uint8Array[] {
    const { taken } = this;
    this.taken = [];
    this.kept = 0;
    this.socket?.resume();
    return taken;
  }

  write(bytes: Uint8Array): void {
    this.socket?.write(this.telnet ? telnetOutput(bytes) : bytes);
  }

  close(): void {
    this.server?.close();
    this.socket?.end();
    this.socket?.unref();
  }

  listen(address: Address): Promise<void> {
    if ('path' in address) removeSocket(address.path);
    const server = createServer((socket) => this.meet(socket, this.telnet));
    this.server = server;
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(problem('listen at', address, error)));
      server.listen(address, () => {
        const at = server.address();
        this.where = typeof at === 'object' && at !== null ? `${at.address}:${at.port}` : named(address);
        resolve();
      });
    });
  }

  connect(address: Address): Promise<void> {
    this.where = named(address);
    return new Promise((resolve, reject) => {
      const socket = connect(address as { path: string });
      socket.once('error', (error) => reject(problem('connect to', address, error)));
      socket.once('connect', () => {
        this.meet(socket, false);
        resolve();
      });
    });
  }

  /** A second one is sent away: the line has one end. */
  private meet(socket: Socket, greets: boolean): void {
    if (this.socket !== undefined) {
      socket.destroy();
      return;
    }
    this.socket = socket;
    const read = this.telnet ? telnetInput() : (bytes: Uint8Array) => bytes;
    if (greets) socket.write(TELNET_GREETING);
    socket.on('data', (bytes: Uint8Array) => {
      const typed = read(bytes);
      this.taken.push(typed);
      this.kept += typed.length;
      if (this.kept > MOST_KEPT) socket.pause();
      this.rouse();
    });
    socket.on('drain', this.rouse);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.socket = undefined;
      this.rouse();
    });
    this.rouse();
  }
}

/** What a run before left, as QEMU does; nothing but a socket. */
export function removeSocket(path: string): void {
  if (existsSync(path) && lstatSync(path).isSocket()) rmSync(path);
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is taken',
  EACCES: 'permission is denied',
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'there is no such file',
  ENOTFOUND: 'there is no such host',
};

function problem(purpose: string, address: Address, error: Error): Problem {
  const why = REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? error.message;
  return new Problem(`Cannot ${purpose} ${named(address)}: ${why}.`);
}
