import { describe, expect, test } from 'vitest';
import { Card, CONTROL, HEADER, RX, TX } from './card.ts';

const ALL_AT_WORK = 0xf;

describe('frames whose peer cannot take them', () => {
  test('wait, and those behind them; notifications are not wanted until they have gone', () => {
    const card = new Card();
    card.bench.takesPackets = false;
    card.frame(60);
    card.frame(61);
    card.kick(TX);
    expect(card.bench.sent.map(({ bytes }) => bytes.length)).toEqual([60]);
    expect(card.used(TX)).toEqual({ index: 0, isQuiet: true });
    card.kick(TX);
    expect(card.bench.sent).toHaveLength(1);
    card.bench.takesPackets = true;
    card.bench.packetSent();
    expect(card.bench.sent.map(({ bytes }) => bytes.length)).toEqual([60, 61]);
    expect(card.used(TX)).toEqual({ index: 2, isQuiet: false });
    expect(card.state.sending).toEqual([]);
  });

  test('one after the other', () => {
    const card = new Card();
    card.bench.takesPackets = false;
    for (let length = 60; length < 63; length++) card.frame(length);
    card.kick(TX);
    for (let gone = 1; gone <= 3; gone++) {
      card.bench.packetSent();
      expect(card.used(TX)).toEqual({ index: gone, isQuiet: gone < 3 });
    }
  });

  test('are given back by a reset, and nobody takes them later', () => {
    const card = new Card();
    card.bench.takesPackets = false;
    card.frame(60);
    card.kick(TX);
    card.write(20, 1, 0);
    expect(card.used(TX).index).toBe(1);
    card.begin(2 ** 15);
    card.frame(61);
    card.kick(TX);
    expect(card.state.sending).toHaveLength(1);
    expect(card.used(TX).index).toBe(0);
    card.bench.packetSent();
    expect(card.used(TX).index).toBe(1);
  });

  test.each([
    ['system reset', (card: Card) => card.bench.reset()],
    ['reset of the queue', (card: Card) => card.resetQueue(TX)],
  ])('are given back by a %s', (_name, reset) => {
    const card = new Card();
    card.bench.takesPackets = false;
    card.frame(60);
    card.kick(TX);
    reset(card);
    expect(card.used(TX).index).toBe(1);
    expect(card.state.queues[TX]!.elements).toEqual([]);
  });

  test('are given back by a reset of the queue frames come by, too, but of no other', () => {
    const card = new Card();
    card.bench.takesPackets = false;
    card.frame(60);
    card.kick(TX);
    card.resetQueue(CONTROL);
    expect(card.used(TX).index).toBe(0);
    card.resetQueue(RX);
    expect(card.used(TX).index).toBe(1);
  });
});

describe('bursts', () => {
  test('with tx=timer the rest of more than a burst goes later', () => {
    const card = new Card({ tx: 'timer', 'x-txburst': 4 });
    for (let count = 0; count < 10; count++) card.frame(60 + count);
    card.kick(TX);
    for (const sent of [4, 8, 10]) {
      card.bench.pass(150_000);
      expect(card.bench.sent).toHaveLength(sent);
      expect(card.used(TX)).toEqual({ index: sent, isQuiet: sent < 10 });
    }
    expect(card.bench.timers.size).toBe(0);
  });

  test('without it others have their turn before the rest', () => {
    const card = new Card({ 'x-txburst': 4 });
    for (let count = 0; count < 10; count++) card.frame(60 + count);
    card.kick(TX);
    expect(card.used(TX)).toEqual({ index: 4, isQuiet: true });
    card.kick(TX);
    expect(card.bench.sent).toHaveLength(4);
    card.bench.pass(0);
    expect(card.used(TX)).toEqual({ index: 10, isQuiet: false });
  });

  test('nor does an exit of a processor send: the main loop does', () => {
    const card = new Card({ ioeventfd: false });
    card.frame(60);
    card.kick(TX);
    expect(card.bench.sent).toHaveLength(0);
    card.bench.pass(0);
    expect(card.used(TX)).toEqual({ index: 1, isQuiet: false });
  });

  test('a second notification with tx=timer sends at once', () => {
    const card = new Card({ tx: 'timer' });
    card.frame(60);
    card.kick(TX);
    expect(card.bench.sent).toHaveLength(0);
    card.frame(61);
    card.kick(TX);
    expect(card.bench.sent).toHaveLength(2);
  });

  test('one that ends what waited in the peer goes on later, too', () => {
    const card = new Card({ 'x-txburst': 2 });
    card.bench.takesPackets = false;
    for (let count = 0; count < 6; count++) card.frame(60);
    card.kick(TX);
    card.bench.takesPackets = true;
    card.bench.packetSent();
    expect(card.used(TX)).toEqual({ index: 3, isQuiet: true });
    card.bench.pass(0);
    card.bench.pass(0);
    expect(card.used(TX).index).toBe(6);
  });
});

describe('while frames wait for their time', () => {
  const waiting = (): Card => {
    const card = new Card({ tx: 'timer' });
    card.frame(60);
    card.kick(TX);
    return card;
  };

  test('a status without DRIVER_OK stops them, one with it lets them go on', () => {
    const card = waiting();
    card.write(20, 1, 0xb);
    card.bench.pass(1_000_000);
    expect(card.bench.sent).toHaveLength(0);
    card.write(20, 1, ALL_AT_WORK);
    card.bench.pass(1_000_000);
    expect(card.bench.sent).toHaveLength(1);
  });

  test('a cable that is pulled loses them', () => {
    const card = waiting();
    card.bench.cable(false);
    expect(card.used(TX)).toEqual({ index: 1, isQuiet: false });
    card.bench.pass(1_000_000);
    expect(card.bench.sent).toHaveLength(0);
  });

  test('a driver that takes bus mastering away has stopped them', () => {
    const card = waiting();
    card.bench.write(20, 0xb, 1);
    card.bench.reset();
    card.bench.pass(1_000_000);
    expect(card.bench.sent).toHaveLength(0);
  });
});

describe('frames of all lengths', () => {
  const offered = (length: number, buffers: readonly number[]) => {
    const card = new Card();
    card.buffers(...buffers);
    const isTaken = card.bench.packet({ number: 7, bytes: new Uint8Array(length).fill(0x5a) });
    return { card, isTaken, used: card.used(RX).index, dropped: card.bench.dropped };
  };

  test.each([1, 13, 65_535, 70_000])('%d bytes come in', (length) => {
    const { isTaken, used, dropped, card } = offered(length, new Array<number>(5).fill(20_000));
    expect({ isTaken, used, dropped }).toEqual({
      isTaken: true,
      used: Math.ceil((length + HEADER) / 20_000),
      dropped: [],
    });
    expect(card.errors).toEqual([]);
  });

  test('nothing is no frame', () => {
    expect(offered(0, [2048])).toMatchObject({ isTaken: true, used: 0, dropped: [[7, 'empty']] });
  });

  test('one that has no room waits', () => {
    expect(offered(70_000, [2048])).toMatchObject({ isTaken: false, used: 0, dropped: [] });
  });

  test.each([
    [0, 0],
    [1, 1],
    [13, 1],
    [65_535, 1],
    [69_632, 1],
    [69_633, 0],
    [70_000, 0],
  ])('%d bytes go out as %d frames', (length, frames) => {
    const card = new Card();
    card.frame(length);
    card.kick(TX);
    expect(card.bench.sent.map(({ bytes }) => bytes.length)).toEqual(new Array(frames).fill(length));
    expect(card.used(TX).index).toBe(length === 0 ? 0 : 1);
    expect(card.errors).toEqual(length === 0 ? ['virtio-net nothing to send'] : []);
  });
});

describe('a driver that is wrong', () => {
  test('has no room for the header', () => {
    const card = new Card();
    card.buffers(8, 2048);
    expect(card.bench.packet({ number: 1, bytes: new Uint8Array(60) })).toBe(true);
    expect(card.errors).toEqual(['virtio-net receive buffer has no room for the header']);
    expect(card.bench.dropped).toHaveLength(1);
  });

  test('has buffers that are none behind some that are', () => {
    const card = new Card();
    card.buffers(100);
    const at = card.room(64);
    card.add(RX, [
      [at, 32, true],
      [at + 32, 32],
    ]);
    card.buffers(2048);
    expect(card.bench.packet({ number: 1, bytes: new Uint8Array(200) })).toBe(true);
    expect(card.errors).toEqual([
      'Incorrect order for descriptors',
      'virtio-net unexpected empty queue: i 1 mergeable 1 offset 88, size 200, guest hdr len 12, host hdr len 0 ' +
        'guest features 0x100028004',
    ]);
    expect(card.state.queues[RX]!.elements).toEqual([]);
  });

  test('sends less than a header', () => {
    const card = new Card();
    card.add(TX, [[card.room(4), 4]]);
    card.kick(TX);
    expect(card.errors).toEqual(['virtio-net nothing to send']);
  });
});

describe('a peer that takes headers', () => {
  const low = 2 ** 15 + 2 ** 17 + 2 ** 2 + 2 ** 1 + 2 ** 7;

  test('has them beside the frames both ways', () => {
    const card = new Card({}, low, true);
    card.frame(60);
    card.frame(60, HEADER, TX, [1, 0, 0, 0, 0, 0, 34, 0, 16, 0]);
    card.kick(TX);
    expect(card.bench.sent.map(({ bytes }) => bytes.length)).toEqual([60, 60]);
    expect(card.bench.sent.map(({ header }) => [...header!])).toEqual([[], [1, 0, 0, 0, 0, 0, 34, 0, 16, 0]]);
    const [at] = card.buffers(2048);
    const [bytes, header] = [new Uint8Array(60), new Uint8Array(10).fill(7)];
    expect(card.bench.packet({ number: 1, bytes, header })).toBe(true);
    expect([...card.bench.memory.subarray(at, at! + HEADER)]).toEqual([...header, 1, 0]);
    expect(card.bench.packet({ number: 2, bytes: new Uint8Array(0) })).toBe(true);
    expect(card.bench.dropped).toEqual([[2, 'empty']]);
  });

  test('hears what may be left to the driver', () => {
    const card = new Card({}, low, true);
    expect(card.bench.offloads.at(-1)).toEqual([3, HEADER]);
    expect(card.command(5, 0, 2, 0, 0, 0, 0, 0, 0, 0)).toBe(0);
    expect(card.bench.offloads.at(-1)).toEqual([1, HEADER]);
  });

  test('gets no frame that is shorter than its header', () => {
    const card = new Card({}, low, true);
    card.add(TX, [[card.room(4), 4]]);
    card.kick(TX);
    expect(card.errors).toEqual(['virtio-net header incorrect']);
  });

  test.each([
    ['those that are on', [2, 0, 0, 0, 0, 0, 0, 0], 0],
    ['those of both kinds', [0x82, 0, 0, 0, 0, 0, 0, 0], 0],
    ['one that is not', [0, 1, 0, 0, 0, 0, 0, 0], 1],
    ['one nobody knows', [0, 0, 0, 0, 1, 0, 0, 0], 1],
    ['what joins segments', [2, 0, 0, 0, 0, 0, 0, 0x20], 0],
  ])('may leave to the driver %s', (_name, data, ack) => {
    expect(new Card({}, low, true).command(5, 0, ...data)).toBe(ack);
    expect(new Card({}, low, false).command(5, 0, ...data)).toBe(1);
  });
});

test('who is connected to nobody sends, and nobody hears', () => {
  const card = new Card();
  card.bench.peer = undefined;
  card.frame(60);
  card.kick(TX);
  expect(card.bench.sent).toEqual([]);
  expect(card.used(TX).index).toBe(1);
});

test('commands are done once round the ring at most', () => {
  const card = new Card();
  expect(card.command(0, 0, 0)).toBe(0);
  expect(card.state.modes).toEqual([]);
  expect(card.used(CONTROL).index).toBe(1);
  new DataView(card.bench.memory.buffer).setUint16(card.ring(CONTROL).avail + 2, 0x8000, true);
  card.kick(CONTROL);
  expect(card.used(CONTROL).index).toBeLessThanOrEqual(1 + 64);
});
