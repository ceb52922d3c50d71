import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { LONG } from '../../../how-long.ts';
import { LOOPBACK, wired, type Wired } from './wired.ts';

const opened: { close(): void }[] = [];

afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

async function bound(): Promise<{ readonly socket: Socket; readonly port: number; readonly heard: Uint8Array[] }> {
  const socket = createSocket('udp4');
  const heard: Uint8Array[] = [];
  socket.on('message', (bytes: Buffer) => void heard.push(Uint8Array.from(bytes)));
  socket.bind(0, LOOPBACK);
  await once(socket, 'listening');
  opened.push(socket);
  return { socket, port: socket.address().port, heard };
}

async function freePort(): Promise<number> {
  const { socket, port } = await bound();
  opened.pop();
  socket.close();
  await once(socket, 'close');
  return port;
}

async function machineWith(netdev: string, how = {}): Promise<Wired> {
  const machine = await wired(netdev, how);
  opened.push(machine);
  return machine;
}

const frame = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, at) => first + at * 3);
const inet = (which: string, port: number): string =>
  `${which}.type=inet,${which}.host=${LOOPBACK},${which}.port=${port}`;

test.each(['dgram', 'socket'])('a network by datagrams of -netdev %s has a frame in each', LONG, async (type) => {
  const peer = await bound();
  const own = await freePort();
  const machine = await machineWith(
    type === 'dgram'
      ? `dgram,${inet('local', own)},${inet('remote', peer.port)}`
      : `socket,udp=${LOOPBACK}:${peer.port},localaddr=${LOOPBACK}:${own}`,
  );
  const info =
    type === 'dgram' ? `udp=${LOOPBACK}:${own}/${LOOPBACK}:${peer.port}` : `socket: udp=${LOOPBACK}:${peer.port}`;
  expect(machine.state).toMatchObject({ isUp: true, info });
  expect(machine.isAwaited).toBe(true);
  machine.say(frame(1514));
  await machine.until(() => peer.heard.length === 1);
  expect(peer.heard).toEqual([frame(1514)]);
  peer.socket.send(frame(60), own, LOOPBACK);
  peer.socket.send(new Uint8Array(0), own, LOOPBACK);
  peer.socket.send(frame(61), own, LOOPBACK);
  await machine.until(() => machine.count('sim:packet_sent') === 2 && machine.count('sim:frame_refused') === 1);
});

test('a flood of datagrams waits for a card, and is lost beyond that', LONG, async () => {
  const peer = await bound();
  const own = await freePort();
  const machine = await machineWith(`dgram,${inet('local', own)},${inet('remote', peer.port)}`, { atCard: true });
  await machine.until(() => {
    for (let sent = 0; sent < 20; sent++) peer.socket.send(frame(60), own, LOOPBACK);
    return machine.notices.length > 0;
  });
  expect(machine.count('sim:frame_held')).toBeGreaterThan(0);
  expect(machine.count('sim:frame_held')).toBeLessThanOrEqual(33);
  expect(machine.count('sim:frame_refused')).toBe(0);
  expect(machine.notices).toContain('dgram#0: a frame is lost: the guest takes none of those that wait.');
});

test.each(['dgram', 'socket'])('members of a group of -netdev %s hear each other', LONG, async (type) => {
  const port = await freePort();
  const netdev =
    type === 'dgram'
      ? `dgram,remote.type=inet,remote.host=239.255.12.34,remote.port=${port},${inet('local', port)}`
      : `socket,mcast=239.255.12.34:${port},localaddr=${LOOPBACK}`;
  const [one, other] = [await machineWith(netdev), await machineWith(netdev)];
  expect(one.state.info).toBe(`${type === 'socket' ? 'socket: ' : ''}mcast=239.255.12.34:${port}`);
  one.say(frame(60));
  await other.until(() => other.count('sim:packet_sent') === 1);
  // Its own comes back as well: QEMU's does.
  await one.until(() => one.count('sim:packet_sent') === 1);
});

test('an address this host does not have is said so', LONG, async () => {
  const words = 'Cannot listen at udp 192.0.2.1:4000: this machine has no such address.';
  await expect(wired('socket,udp=127.0.0.1:4001,localaddr=192.0.2.1:4000')).rejects.toThrow(words);
});
