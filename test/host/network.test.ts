import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { HOST_NETWORK } from '../../src/host/network.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openSockets } from '../../src/runs/underway/open-sockets.ts';

const LOOPBACK = '127.0.0.1';
const opened: { close(): void }[] = [];

afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

async function listening(came: (socket: Socket) => void = () => undefined): Promise<number> {
  const server: Server = createServer(came);
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  opened.push(server);
  return (server.address() as AddressInfo).port;
}

/** A port nobody has now. */
async function freePort(): Promise<number> {
  const port = await listening();
  const server = opened.pop()!;
  server.close();
  await once(server as Server, 'close');
  return port;
}

const join = (netdev: string) =>
  openSockets({ network: HOST_NETWORK, milliseconds: () => 0 }, runOptions(['-netdev', netdev]));

test('a port that is taken is said so in one sentence, and what was opened before is closed', async () => {
  const [taken, free] = [await listening(), await freePort()];
  const forwards = `hostfwd=tcp:${LOOPBACK}:${free}-:80,hostfwd=tcp:${LOOPBACK}:${taken}-:81`;
  const words = `Cannot listen at tcp ${LOOPBACK}:${taken}: the port is taken.`;
  await expect(join(`user,id=n0,${forwards}`)).rejects.toThrow(words);
  const again = await join(`user,id=n0,hostfwd=tcp:${LOOPBACK}:${free}-:80`);
  again!.close();
});

test('a run that asks for nothing has no sockets', async () => {
  expect(await join('user,id=n0')).toBeUndefined();
});

test('a datagram nobody takes comes back as an error', async () => {
  const socket = createSocket('udp4').bind(0, LOOPBACK);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  const errno = await new Promise((resolve) => {
    const datagrams = HOST_NETWORK.datagramsTo({ host: LOOPBACK, port }, () => undefined, resolve);
    opened.push(datagrams);
    datagrams.send(Uint8Array.of(1), { host: LOOPBACK, port });
  });
  expect(errno).toBe(111);
});

test('a connection nobody takes is refused, and one that is reset says so', async () => {
  const said = async (port: number): Promise<string[]> => {
    const heard: string[] = [];
    await new Promise<void>((resolve) => {
      const stream = HOST_NETWORK.connect(
        { host: LOOPBACK, port },
        {
          opened(errno) {
            heard.push(`opened ${errno}`);
            if (errno !== 0) resolve();
            stream.resume();
            stream.write(Uint8Array.of(1), () => undefined);
          },
          data: (bytes) => void heard.push(`${bytes.length} bytes`),
          ended: () => void heard.push('ended'),
          reset(errno) {
            heard.push(`reset ${errno}`);
            resolve();
          },
        },
      );
    });
    return heard;
  };
  expect(await said(await freePort())).toEqual(['opened 111']);
  expect(await said(await listening((socket) => socket.once('data', () => socket.resetAndDestroy())))).toEqual([
    'opened 0',
    'reset 104',
  ]);
});

test('a name of this machine is found, and one that cannot be is none', async () => {
  expect(await HOST_NETWORK.lookUp('localhost', 4)).toEqual({ addresses: [LOOPBACK], errno: 0 });
  expect(await HOST_NETWORK.lookUp('a..b', 4)).toMatchObject({ addresses: [] });
});

test('visitors come by input, as many as have place', async () => {
  const port = await freePort();
  const sockets = (await join(`user,id=n0,hostfwd=tcp:${LOOPBACK}:${port}-:80`))!;
  opened.push(sockets);
  let came = 0;
  sockets.join(
    ({ kind }) => void (came += kind === 'sim:socket_accepted' ? 1 : 0),
    () => 0,
    () => undefined,
    () => undefined,
  );
  const visitors = Array.from({ length: 80 }, () => connect(port, LOOPBACK).on('error', () => undefined));
  opened.push({ close: () => visitors.forEach((visitor) => visitor.destroy()) });
  // Those for whom there is no place are cut off at once.
  await Promise.all(visitors.slice(64).map((visitor) => new Promise((resolve) => visitor.once('close', resolve))));
  expect(came).toBe(64);
});
