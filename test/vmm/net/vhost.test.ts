import { describe, expect, test } from 'vitest';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import type { PropertyValue } from '../../../src/devices/properties.ts';
import { USUAL_BRIDGE } from '../../../src/vmm/pc/bridge-parts.ts';
import { firstOf, LONG } from '../../how-long.ts';
import { type Bench, bench } from '../bench.ts';

const TABLE = 0xe200_0000;
const BAR = 0xe300_0000;
/** Registers of the common structure. Virtio 1.1, 4.1.4.3. */
const COMMON = { select: 8, feature: 12, status: 20, queue: 22, vector: 26, enable: 28, desc: 32, avail: 40, used: 48 };
const NOTIFY = BAR + 0x3000;
const SIZE = 256;
/** Where the driver has its rings and buffers. */
const RINGS = [0x1_0000, 0x2_0000] as const;
const PARTS = { desc: 0, avail: 0x4000, used: 0x8000 } as const;
const BUFFERS = 0x10_0000;
const HEADER = 12;
const [MERGEABLE, EVENT_IDX] = [1 << 15, 1 << 29];

const littleEndian = (value: number, size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => Math.floor(value / 2 ** (8 * at)) & 0xff);

/** A driver of a card on a tap whose rings the kernel serves, played by a test. */
class Driver {
  readonly machine: Bench;
  private readonly added = [0, 0];

  constructor(properties: Readonly<Record<string, PropertyValue>> = {}) {
    this.machine = bench({
      netdevs: [
        { type: 'pcap', id: 'p', properties: {} },
        { type: 'tap', id: 't', properties: { script: 'no', vhost: true, ...properties } },
      ],
      bridges: [{ ...USUAL_BRIDGE, name: 'br0', ports: ['p', 't'] }],
      devices: [{ driver: 'virtio-net-pci', properties: { netdev: 't', mac: '52:54:00:00:00:0a' } }],
    });
    this.config(0x14, 4, TABLE);
    this.config(0x20, 4, BAR);
    this.config(0x04, 2, 6);
  }

  config(register: number, size: number, value: number): void {
    this.machine.out(0xcf8, 4, 0x8000_1000 + (register & 0xfc));
    this.machine.out(0xcfc + (register & 3), size, value);
  }

  private configByte(register: number): number {
    this.machine.out(0xcf8, 4, 0x8000_1000 + (register & 0xfc));
    return this.machine.in(0xcfc + (register & 3), 1);
  }

  private get msix(): number {
    let at = this.configByte(0x34);
    while (this.configByte(at) !== 0x11) at = this.configByte(at + 1);
    return at;
  }

  put(gpa: number, value: number, size: number): void {
    this.machine.store(gpa, littleEndian(value, size));
  }

  read16(gpa: number): number {
    const [low = 0, high = 0] = this.machine.read(gpa, 2);
    return low | (high << 8);
  }

  /** Bring it up to DRIVER_OK. rings: where they lie. */
  start({ features = MERGEABLE + EVENT_IDX, rings = RINGS as readonly number[], hasMsix = true } = {}): this {
    if (hasMsix) {
      for (const vector of [0, 1, 2, 3]) {
        for (const [at, word] of [0xfee0_0000, 0, 0x50 + vector, 0].entries())
          this.put(TABLE + 16 * vector + 4 * at, word, 4);
      }
      this.config(this.msix + 2, 2, 0x8000);
    }
    for (const status of [1, 3]) this.put(BAR + COMMON.status, status, 1);
    for (const [word, value] of [features, 1].entries()) {
      this.put(BAR + COMMON.select, word, 4);
      this.put(BAR + COMMON.feature, value, 4);
    }
    this.put(BAR + COMMON.status, 0xb, 1);
    for (const [queue, ring] of rings.entries()) {
      this.put(BAR + COMMON.queue, queue, 2);
      this.put(BAR + COMMON.vector, queue + 1, 2);
      for (const part of ['desc', 'avail', 'used'] as const) {
        this.put(BAR + COMMON[part], ring + PARTS[part], 4);
        this.put(BAR + COMMON[part] + 4, 0, 4);
      }
      this.put(BAR + COMMON.enable, 1, 2);
    }
    this.put(BAR + COMMON.status, 0xf, 1);
    return this;
  }

  /** Put a chain of one buffer into a ring. */
  add(queue: number, gpa: number, length: number): void {
    const ring = RINGS[queue]!;
    const at = this.added[queue]!++;
    const desc = ring + 16 * (at % SIZE);
    this.put(desc, gpa, 8);
    this.put(desc + 8, length, 4);
    this.put(desc + 12, queue === 0 ? 2 : 0, 2);
    this.put(ring + PARTS.avail + 4 + 2 * (at % SIZE), at % SIZE, 2);
    this.put(ring + PARTS.avail + 2, at + 1, 2);
  }

  /** A frame to be sent, with a header of zeroes. */
  send(byte: number, length = 60): void {
    const gpa = BUFFERS + 0x1000 * (this.added[1]! % SIZE);
    for (const [at, value] of [0xff, 0xff, 0xff, 0xff].entries())
      this.put(gpa + HEADER + 4 * at, value * 0x0101_0101, 4);
    this.put(gpa + HEADER + 20, byte, 1);
    this.add(1, gpa, HEADER + length);
  }

  usedIndex = (queue: number): number => this.read16(RINGS[queue]! + PARTS.used + 2);

  get vring() {
    return this.machine.state.vmm.net!.vhosts!['t']!.vrings;
  }

  /** The worker finds a notification. */
  serve = (queue: number): string[] => this.machine.serve({ fd: this.vring[queue]!.kick });

  /** Signals of one eventfd. */
  signals = (fd: number): number => this.machine.signals.filter((each) => each === fd).length;

  ofKind = <K extends MachineEvent['kind']>(kind: K) =>
    this.machine.events.filter((event): event is Extract<MachineEvent, { readonly kind: K }> => event.kind === kind);

  asked = (): string[] =>
    this.ofKind('sim:vhost_ioctl').map(
      ({ cmd, queue }) => `${cmd.replace('VHOST_', '')}${queue < 0 ? '' : ` ${queue}`}`,
    );
}

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
