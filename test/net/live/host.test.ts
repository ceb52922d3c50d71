import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import type { UserNetSetup } from '../../../src/net/user/index.ts';
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
function joined(given: Partial<UserNetSetup> = { live: `localhost:${port}` }): {
  readonly bench: Bench;
  turn(): Promise<void>;
  close(): void;
} {
  const bench = new Bench({}, given);
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

/** Take turns until something is so. */
async function until(turn: () => Promise<void>, client: Client, isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 3000 && !isSo(); turns++) {
    await turn();
    client.listen();
  }
  expect(isSo()).toBe(true);
}

test('a server of this process is given and gives what it should, and hears the end', async () => {
  const { bench, turn, close } = joined();
  const client = new Client(bench, '10.0.2.2', port);
  await until(turn, client, () => bench.ofKind('sim:tcp_established').length === 1);
  client.say('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(turn, client, () => client.heard.endsWith(CONTENT.slice(-100)) && client.heard.length > CONTENT.length);
  const body = client.heard.slice(client.heard.indexOf('\r\n\r\n') + 4);
  expect(sha256(body)).toBe(sha256(CONTENT));
  client.heard = '';
  client.say(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${CONTENT.length}\r\n\r\n`);
  for (let at = 0; at < CONTENT.length; at += PIECE) {
    client.say(CONTENT.slice(at, at + PIECE));
    const app = () => bench.net.state.tcp.connections[1]?.app;
    await until(turn, client, () => app()?.kind === 'live' && (app() as { untaken: number }).untaken === 0);
  }
  await until(turn, client, () => client.hasEnded);
  expect(client.heard).toContain(sha256(CONTENT));
  client.end();
  await turn();
  expect(bench.isFolded).toBe(true);
  // The host has said the end first.
  expect(bench.net.state.tcp.connections[1]?.phase).toBe('time-wait');
  close();
});

describe('a program that is run for a connection', () => {
  const running = (command: string) => {
    const made = joined({ restrict: true, guestfwd: `tcp:10.0.2.100:7-cmd:${command}` });
    return { ...made, client: new Client(made.bench, '10.0.2.100', 7) };
  };

  test('hears and says what it likes, and its end is heard', async () => {
    const { bench, turn, close, client } = running(`sh -c 'read a; echo "$a, $0"; exec cat' host`);
    expect(bench.ofKind('sim:socket_asked')[0]).toMatchObject({
      what: 'run',
      host: expect.stringMatching(/^sh -c 'r.* host$/),
    });
    client.say('hello\n');
    await until(turn, client, () => client.heard === 'hello, host\n');
    client.say(CONTENT.slice(0, 20 * KIB));
    await until(turn, client, () => client.heard.endsWith(CONTENT.slice(0, 20 * KIB)));
    expect(client.hasEnded).toBe(false);
    client.end();
    await until(turn, client, () => client.hasEnded);
    expect(bench.isFolded).toBe(true);
    close();
  });

  test('is not read further than the guest takes', async () => {
    const { bench, turn, close } = running('yes');
    for (let turns = 0; turns < 50; turns++) await turn();
    const came = bench.ofKind('sim:socket_data').reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(came).toBe(128 * KIB);
    close();
  });

  test('ends with its connection', async () => {
    const { bench, turn, close, client } = running(`sh -c 'echo $$; exec sleep 1000'`);
    await until(turn, client, () => client.heard.endsWith('\n'));
    const pid = Number(client.heard);
    expect(process.kill(pid, 0)).toBe(true);
    close();
    expect(bench.net.state.tcp.connections[1]).toBeDefined();
    await expect.poll(() => isThere(pid), { timeout: 10_000 }).toBe(false);
  });

  test('that is not there has nothing to say', async () => {
    const { turn, close, client } = running('/nowhere/at all');
    client.say('hello');
    await until(turn, client, () => client.hasEnded);
    expect(client.heard).toBe('');
    close();
  });
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
