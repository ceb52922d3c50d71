import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LONG } from '../../../how-long.ts';
import { freePort, LOOPBACK, type Outsider, visit, waitFor, wired, type Wired } from './wired.ts';

const opened: { close(): void }[] = [];

afterEach(() => {
  for (const each of opened.splice(0).reverse()) each.close();
});

async function machineWith(netdev: string, how = {}): Promise<Wired> {
  const machine = await wired(netdev, how);
  opened.push(machine);
  return machine;
}

/** Leaves when the test is over. */
function guest(outsider: Outsider): Outsider {
  opened.push({ close: () => outsider.socket.destroy() });
  return outsider;
}

const inet = (port: number): string => `addr.type=inet,addr.host=${LOOPBACK},addr.port=${port}`;
const frame = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, at) => first + at * 3);
const KIB = 1024;

describe('a network by a stream', () => {
  test('has one who connects at a time, and the next when he leaves', async () => {
    const port = await freePort();
    const machine = await machineWith(`stream,server=on,${inet(port)}`);
    machine.say(frame(60));
    expect(machine.state).toMatchObject({ isUp: false, info: '' });
    expect(machine.count('sim:frame_left')).toBe(0);
    const one = guest(await visit({ port }));
    await machine.until(() => machine.state.isUp);
    expect(machine.state.info).toBe(`tcp:${LOOPBACK}:${one.socket.localPort}`);
    const other = guest(await visit({ port }));
    other.say(frame(70));
    one.say(frame(1514));
    machine.say(frame(61));
    machine.say(frame(9000));
    await machine.until(() => one.heard.length === 2 && machine.count('sim:packet_sent') === 1);
    expect(one.heard).toEqual([frame(61), frame(9000)]);
    one.socket.end();
    await machine.until(() => machine.count('sim:packet_sent') === 2);
    expect(machine.state.info).toBe(`tcp:${LOOPBACK}:${other.socket.localPort}`);
    expect(other.heard).toEqual([]);
    machine.say(frame(62));
    await machine.until(() => other.heard.length === 1);
    other.socket.end();
    await machine.until(() => !machine.state.isUp);
    expect(machine.state.info).toBe('');
    expect(machine.isAwaited).toBe(true);
  });

  test('connects, and is alone for good once that is over', LONG, async () => {
    const { port, server, come } = await waitFor();
    opened.push(server);
    const coming = come();
    const machine = await machineWith(`stream,${inet(port)}`);
    expect(machine.isAwaited).toBe(true);
    const peer = guest(await coming);
    await machine.until(() => machine.state.isUp);
    expect(machine.state.info).toBe(`tcp:${LOOPBACK}:${port}`);
    peer.say(frame(60));
    peer.socket.end(Uint8Array.of(0, 0, 0, 9, 1, 2));
    await machine.until(() => !machine.state.isUp);
    expect(machine.count('sim:packet_sent')).toBe(1);
    expect(machine.notices).toEqual(['stream#0: the connection is over: ended in the middle of a frame.']);
    expect(machine.isAwaited).toBe(false);
    await machine.until(() => peer.hasEnded);
  });

  test('by a path has its name', LONG, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'retrovisor-'));
    opened.push({ close: () => rmSync(folder, { recursive: true }) });
    const path = join(folder, 'wire');
    const server = await machineWith(`stream,server=on,addr.type=unix,addr.path=${path}`);
    const client = await machineWith(`stream,addr.type=unix,addr.path=${path}`);
    await client.until(() => client.state.isUp);
    await server.until(() => server.state.isUp);
    expect([client.state.info, server.state.info]).toEqual([`unix:${path}`, `unix:${path}`]);
    client.say(frame(64));
    await server.until(() => server.count('sim:packet_sent') === 1);
  });

  test('to nobody is said so, and the run goes on without', LONG, async () => {
    const port = await freePort();
    const machine = await machineWith(`stream,${inet(port)}`);
    await machine.until(() => machine.state.info !== '');
    expect(machine.state).toMatchObject({ isUp: false, info: 'connection error' });
    const words = `nobody answers at ${LOOPBACK}:${port} (errno 111)`;
    expect(machine.notices).toEqual([`stream#0: ${words}: its guest is alone.`]);
    expect(machine.isAwaited).toBe(false);
    const { port: taken, server } = await waitFor();
    opened.push(server);
    const listening = await machineWith(`stream,server=on,${inet(taken)}`);
    await listening.until(() => listening.state.info === 'connection error');
    expect(listening.notices.join()).toContain(`Cannot listen at tcp ${LOOPBACK}:${taken}: the port is taken`);
  });

  test('that brings a frame nobody reads is over, and another may come', LONG, async () => {
    const port = await freePort();
    const machine = await machineWith(`stream,server=on,${inet(port)}`);
    const bad = guest(await visit({ port }));
    bad.say(frame(60));
    bad.socket.write(Uint8Array.of(0, 1, 0x10, 1, 0));
    await machine.until(() => machine.notices.length > 0 && !machine.state.isUp);
    expect(machine.notices).toEqual(['stream#0: the connection is over: a frame of 69633 bytes is too long.']);
    expect(machine.count('sim:packet_sent')).toBe(1);
    await machine.until(() => bad.hasEnded);
    const good = guest(await visit({ port }));
    good.say(frame(60));
    await machine.until(() => machine.count('sim:packet_sent') === 2);
  });

  test('is not read while a card takes nothing: a flood waits outside', LONG, async () => {
    const { port, server, come } = await waitFor();
    opened.push(server);
    const coming = come();
    const machine = await machineWith(`stream,${inet(port)}`, { atCard: true });
    const peer = guest(await coming);
    let taken = 0;
    const frames = Uint8Array.from({ length: 64 * KIB }, (_, at) => (at % 256 === 3 ? 252 : 0));
    const flood = (): void => {
      while (taken < 64_000 && peer.socket.write(frames)) taken += 64;
    };
    peer.socket.on('drain', flood);
    flood();
    let still = 0;
    let before = -1;
    await machine.until(() => {
      still = before === taken ? still + 1 : 0;
      before = taken;
      return still > 50;
    });
    expect(taken).toBeLessThan(32_000);
    const held = machine.count('sim:frame_held');
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(33);
    expect(machine.count('sim:frame_refused')).toBe(0);
    expect(machine.waiting).toBe(0);
  });

  test('has packets wait for who does not read, and loses none', LONG, async () => {
    const { port, server, come } = await waitFor();
    opened.push(server);
    const coming = come();
    const machine = await machineWith(`stream,${inet(port)}`);
    const peer = guest(await coming);
    await machine.until(() => machine.state.isUp);
    peer.socket.pause();
    let said = 0;
    while (!machine.state.isStalled) {
      machine.say(frame(60_000, said++));
      await machine.until(() => true);
    }
    const left = machine.count('sim:frame_left');
    for (let more = 0; more < 3; more++) machine.say(frame(60_000, said++));
    expect(machine.count('sim:frame_left')).toBe(left);
    peer.socket.resume();
    await machine.until(() => peer.heard.length === said);
    expect(peer.heard.map(([first]) => first)).toEqual(Array.from({ length: said }, (_, at) => at & 0xff));
    expect(machine.state.isStalled).toBe(false);
  });
});

describe('a network by an older option', () => {
  test('waits for who connects, and says from where', LONG, async () => {
    const port = await freePort();
    const machine = await machineWith(`socket,listen=${LOOPBACK}:${port}`);
    expect(machine.state).toMatchObject({ isUp: false, info: '' });
    const peer = guest(await visit({ port }));
    await machine.until(() => machine.state.isUp);
    expect(machine.state.info).toBe(`socket: connection from ${LOOPBACK}:${peer.socket.localPort}`);
    peer.socket.resetAndDestroy();
    await machine.until(() => !machine.state.isUp);
    expect(machine.state.info).toBe('');
  });

  test('has what is sent wait for its connection', LONG, async () => {
    const { port, server, come } = await waitFor();
    opened.push(server);
    const coming = come();
    const machine = await machineWith(`socket,connect=localhost:${port}`);
    machine.say(frame(60));
    expect(machine.state.info).toBe(`socket: connect to localhost:${port}`);
    const peer = guest(await coming);
    await machine.until(() => peer.heard.length === 1);
    expect(machine.state.info).toBe(`socket: connect to ${LOOPBACK}:${port}`);
  });

  test('does not begin by a descriptor that is no connection', LONG, async () => {
    await expect(wired('socket,fd=9999')).rejects.toThrow('Cannot use descriptor 9999: it is no open connection.');
  });

  test('does not begin at a port that is taken', LONG, async () => {
    const { port, server } = await waitFor();
    opened.push(server);
    const words = `Cannot listen at tcp ${LOOPBACK}:${port}: the port is taken.`;
    await expect(wired(`socket,listen=${LOOPBACK}:${port}`)).rejects.toThrow(words);
  });
});
