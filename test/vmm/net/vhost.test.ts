import { describe, expect, test } from 'vitest';
import { firstOf, LONG } from '../../how-long.ts';
import { BAR, BUFFERS, COMMON, Driver, EVENT_IDX, HEADER, NOTIFY, PARTS, RINGS, SIZE, TABLE } from './vhost-driver.ts';

test('QEMU asks in its order', () => {
  const driver = new Driver();
  const opened = ['SET_OWNER', 'GET_FEATURES', ...[0, 1].flatMap((q) => [`SET_VRING_CALL ${q}`, `SET_VRING_ERR ${q}`])];
  expect(driver.asked()).toEqual(opened);
  driver.start();
  const ring = (q: number): string[] => ['NUM', 'BASE', 'ADDR', 'KICK'].map((what) => `SET_VRING_${what} ${q}`);
  const started = ['SET_VRING_CALL 0', 'SET_VRING_CALL 1', 'SET_FEATURES', 'SET_MEM_TABLE', ...ring(0), ...ring(1)];
  expect(driver.asked().slice(opened.length)).toEqual([...started, 'NET_SET_BACKEND 0', 'NET_SET_BACKEND 1']);
  const kept = opened.length + started.length + 2;
  driver.send(1);
  driver.serve(1);
  driver.put(BAR + COMMON.status, 0, 1);
  const stopped = [0, 1].map((q) => `NET_SET_BACKEND ${q}`);
  expect(driver.asked().slice(kept)).toEqual([...stopped, 'GET_VRING_BASE 0', 'GET_VRING_BASE 1']);
  const restored = driver.ofKind('sim:virtqueue_restored');
  expect(restored.map(({ lastAvail, usedIdx }) => [lastAvail, usedIdx])).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

describe('what is sent', () => {
  test('is given back at the end, with one signal, and notifications are asked for again', () => {
    const driver = new Driver().start();
    for (const byte of [1, 2, 3]) driver.send(byte);
    expect(driver.serve(1)).toEqual(['more', 'more', 'more', 'empty']);
    expect(driver.ofKind('sim:packet_sent').map(({ bytes, client }) => `${client} ${bytes[20]}`)).toEqual(
      [1, 2, 3].map((byte) => `virtio-net-pci.0 ${byte}`),
    );
    expect([driver.usedIndex(1), driver.signals(driver.vring[1]!.call)]).toEqual([3, 1]);
    expect(driver.read16(RINGS[1] + PARTS.used + 4 + 8 * SIZE)).toBe(3);
    // Of what the driver does not want to hear of it hears nothing.
    driver.put(RINGS[1] + PARTS.avail + 4 + 2 * SIZE, 100, 2);
    driver.send(4);
    driver.serve(1);
    expect([driver.usedIndex(1), driver.signals(driver.vring[1]!.call)]).toEqual([4, 1]);
  });

  test('is given back after 64, and gives way to others after 256', LONG, () => {
    const driver = new Driver().start();
    for (let sent = 0; sent < SIZE; sent += 1) driver.send(sent & 0xff);
    const ends = driver.serve(1);
    expect([ends.length, ends.at(-1)]).toEqual([256, 'weight']);
    expect(driver.ofKind('sim:vhost_add_used').map(({ count }) => count)).toEqual([64, 64, 64, 64]);
  });

  const WRONG = firstOf(1, [
    ['outside of memory', 0xfe00_0000, 72, 'Translation failure -14 descriptor idx 0'],
    ['across its end', 64 * 2 ** 20 - 8, 72, 'Translation failure -14 descriptor idx 0'],
    ['shorter than its header', BUFFERS, 8, 'its header has 12'],
    ['longer than any frame', BUFFERS, 0x2_0000, 'Fail to send a packet of 131072 bytes'],
  ] as const);

  test.each(WRONG)('%s is an error of its ring, which goes on at the next notification', (_what, gpa, length, why) => {
    const driver = new Driver().start();
    driver.add(1, gpa, length);
    expect(driver.serve(1)).toEqual(['error']);
    expect(driver.ofKind('sim:vhost_error')).toMatchObject([
      { client: 't', queue: 1, why: expect.stringContaining(why) },
    ]);
    expect(driver.signals(driver.vring[1]!.error)).toBe(1);
    expect(driver.vring[1]!.errors).toBe(1);
  });
});

describe('what comes', () => {
  const frame = Uint8Array.from({ length: 100 }, (_, at) => (at < 6 ? 0xff : at));

  /** A frame waits in the tap's queue. */
  function withFrame(driver: Driver): Driver {
    driver.machine.frame('pcap#0', frame);
    driver.machine.liveTo(1e6);
    return driver;
  }

  test('goes into as many buffers as it takes, and the header says how many', () => {
    const driver = withFrame(new Driver().start());
    for (const at of [0, 1, 2]) driver.add(0, BUFFERS + 0x1000 * at, 64);
    expect(driver.machine.serve({ tap: 't' })).toEqual(['more', 'empty']);
    expect(driver.usedIndex(0)).toBe(2);
    expect(driver.read16(BUFFERS + 10)).toBe(2);
    expect([...driver.machine.read(BUFFERS + HEADER, 8)]).toEqual([...frame.subarray(0, 8)]);
    expect([...driver.machine.read(BUFFERS + 0x1000, 8)]).toEqual([...frame.subarray(52, 60)]);
    expect(driver.read16(RINGS[0] + PARTS.used + 4 + 12)).toBe(HEADER + frame.length - 64);
    expect(driver.signals(driver.vring[0]!.call)).toBe(1);
  });

  test('waits at the tap while there are no buffers, and the next notification takes it', () => {
    const driver = withFrame(new Driver().start());
    expect(driver.machine.serve({ tap: 't' })).toEqual(['no buffers']);
    expect(driver.vring[0]).toMatchObject({ isPolling: false, isQuiet: false });
    expect(driver.machine.state.vmm.net!.taps!['t']!.frames).toHaveLength(1);
    driver.add(0, BUFFERS, 1500);
    expect(driver.serve(0)).toEqual(['more', 'empty']);
  });

  test('is lost where its one buffer is too small, and counted', () => {
    const driver = withFrame(new Driver().start({ features: EVENT_IDX }));
    driver.add(0, BUFFERS, 64);
    expect(driver.machine.serve({ tap: 't' })).toEqual(['more', 'empty']);
    expect(driver.ofKind('sim:packet_dropped')).toMatchObject([
      { client: 'virtio-net-pci.0', why: 'longer than its buffer' },
    ]);
    expect(driver.usedIndex(0)).toBe(0);
  });
});

test('while its vector is masked the kernel signals elsewhere, and what waited is said when it is not', () => {
  const driver = new Driver().start();
  const route = driver.vring[1]!.call;
  driver.put(TABLE + 16 * 2 + 12, 1, 4);
  expect(driver.vring[1]!.call).toBe(driver.vring[1]!.masked);
  driver.send(1);
  driver.serve(1);
  expect([driver.signals(route), driver.signals(driver.vring[1]!.masked)]).toEqual([0, 1]);
  driver.put(TABLE + 16 * 2 + 12, 0, 4);
  expect([driver.vring[1]!.call, driver.signals(route)]).toEqual([route, 1]);
  driver.put(TABLE + 16 * 2 + 12, 1, 4);
  driver.put(TABLE + 16 * 2 + 12, 0, 4);
  expect(driver.signals(route)).toBe(1);
});

test('without messages the main loop hears of the signal, and drives the pin', () => {
  const driver = new Driver().start({ hasMsix: false });
  driver.send(1);
  driver.serve(1);
  const { call } = driver.vring[1]!;
  expect(driver.signals(call)).toBe(1);
  driver.machine.handle(call);
  expect(driver.machine.state.vmm.pins['virtio-net-pci#0.intx']).toBe(true);
});

test('what the main loop has not heard of a signal when the rings are handed back it has heard then', () => {
  const driver = new Driver().start({ hasMsix: false });
  driver.send(1);
  driver.serve(1);
  driver.machine.setLink('virtio-net-pci.0', false);
  expect(driver.machine.state.vmm.pins['virtio-net-pci#0.intx']).toBe(true);
  expect(driver.ofKind('virtio_notify')).toMatchObject([{ queue: 1 }]);
});

const ELSEWHERE = firstOf(1, [
  ['outside of memory', [0xfe00_0000, RINGS[1]]],
  ['across its end', [64 * 2 ** 20 - 0x4800, RINGS[1]]],
] as const);

test.each(ELSEWHERE)('rings %s are QEMU to serve, which says so', (_what, rings) => {
  const driver = new Driver().start({ rings });
  expect(driver.ofKind('sim:vhost_refused')).toMatchObject([{ client: 't', errno: 12 }]);
  expect(driver.machine.state.vmm.devices['virtio-net-pci#0']).not.toHaveProperty('isOffloaded');
  expect(driver.vring.map(({ hasBackend }) => hasBackend)).toEqual([false, false]);
});

test('a cable that is pulled hands its rings back, and one that is plugged over again', () => {
  const driver = new Driver().start();
  driver.send(1);
  driver.serve(1);
  driver.machine.setLink('virtio-net-pci.0', false);
  expect(driver.vring.map(({ hasBackend }) => hasBackend)).toEqual([false, false]);
  driver.machine.setLink('virtio-net-pci.0', true);
  expect(driver.vring.map(({ hasBackend, lastAvail }) => [hasBackend, lastAvail])).toEqual([
    [true, 0],
    [true, 1],
  ]);
  driver.put(NOTIFY + 4, 1, 2);
  driver.send(2);
  expect(driver.serve(1)).toEqual(['more', 'empty']);
});
