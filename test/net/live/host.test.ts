import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import type { InputEvent } from '../../../src/machine/parts.ts';
import { HOST_NETWORK } from '../../../src/host/network.ts';
import { Sockets } from '../../../src/runs/underway/sockets.ts';
import { Bench } from '../bench.ts';
import { Client } from '../client.ts';

const KIB = 1024;
const PIECE = 32 * KIB;
const CONTENT = Array.from({ length: 300 * KIB }, (_, at) =>
  String.fromCharCode(97 + ((at * 7 + (at >> 8)) % 26)),
).join('');

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const server = createServer((request, response) => {
  const hash = createHash('sha256');
  request.on('data', (part: Buffer) => hash.update(part));
  request.on('end', () => response.end(request.method === 'POST' ? hash.digest('hex') : CONTENT));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

/** User networking joined to sockets of this process, with nothing between but facts and inputs. */
function joined(): { readonly bench: Bench; turn(): Promise<void>; close(): void } {
  const bench = new Bench({}, { live: `localhost:${port}` });
  const sockets = new Sockets(HOST_NETWORK, () => performance.now());
  const inputs: InputEvent[] = [];
  sockets.join(
    (event) => void inputs.push(event),
    () => inputs.length,
    () => undefined,
    () => bench.net.state,
  );
  bench.heard = (event) => sockets.next({ event } as never);
  return {
    bench,
    async turn() {
      for (const event of inputs.splice(0)) bench.hear(event);
      await after(1);
    },
    close: () => sockets.close(),
  };
}

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('a server of this process is given and gives what it should, and hears the end', async () => {
  const { bench, turn, close } = joined();
  const until = async (client: Client, isSo: () => boolean): Promise<void> => {
    for (let turns = 0; turns < 3000 && !isSo(); turns++) {
      await turn();
      client.listen();
    }
    expect(isSo()).toBe(true);
  };
  const client = new Client(bench, '10.0.2.2', port);
  await until(client, () => bench.ofKind('sim:tcp_established').length === 1);
  client.say('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(client, () => client.heard.endsWith(CONTENT.slice(-100)) && client.heard.length > CONTENT.length);
  const body = client.heard.slice(client.heard.indexOf('\r\n\r\n') + 4);
  expect(sha256(body)).toBe(sha256(CONTENT));
  client.heard = '';
  client.say(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${CONTENT.length}\r\n\r\n`);
  for (let at = 0; at < CONTENT.length; at += PIECE) {
    client.say(CONTENT.slice(at, at + PIECE));
    const app = () => bench.net.state.tcp.connections[1]?.app;
    await until(client, () => app()?.kind === 'live' && (app() as { untaken: number }).untaken === 0);
  }
  await until(client, () => client.hasEnded);
  expect(client.heard).toContain(sha256(CONTENT));
  client.end();
  await turn();
  expect(bench.isFolded).toBe(true);
  // The host has said the end first.
  expect(bench.net.state.tcp.connections[1]?.phase).toBe('time-wait');
  close();
});
