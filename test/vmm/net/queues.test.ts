import { describe, expect, test } from 'vitest';
import type { TapState } from '../../../src/net/tap/index.ts';
import { LONG } from '../../how-long.ts';
import { BAR, BUFFERS, COMMON, Driver, EVENT_IDX, MERGEABLE, MULTI_QUEUE, RINGS } from './vhost-driver.ts';

/** A driver of a card on a tap with two queues. */
const driverOf = ({ vhost = true, rings = RINGS as readonly number[] } = {}): Driver =>
  new Driver({ queues: 2, vhost }).start({ features: MERGEABLE + EVENT_IDX + MULTI_QUEUE, rings });

const reset = (driver: Driver): void => driver.put(BAR + COMMON.status, 0, 1);

/** What is asked of taps, and of their vhost devices. */
const asked = (driver: Driver): string[] =>
  driver.machine.events.flatMap((event) => {
    if (event.kind === 'sim:tap_ioctl') return `${event.client} ${event.cmd} 0x${event.arg.toString(16)}`;
    if (event.kind !== 'sim:vhost_ioctl') return [];
    return `${event.client} ${event.cmd.replace('VHOST_', '')}${event.queue < 0 ? '' : ` ${event.queue}`}`;
  });

const both = (of: (client: string) => readonly string[]): string[] => ['t', 't:1'].flatMap(of);

/** As QEMU 7.2.22 asks a tap of Linux, but for what it asks only to learn what there is, or twice. */
describe('QEMU asks for each queue, in its order', () => {
  const opened = (client: string): string[] =>
    [...['TUNSETIFF 0x7102', 'TUNSETOFFLOAD 0x0', 'TUNSETVNETHDRSZ 0xa', 'TUNSETSNDBUF 0x7fffffff']].map(
      (what) => `${client} ${what}`,
    );

  test('of the tap', () => {
    const driver = new Driver({ queues: 2, vhost: false });
    const before = [...both(opened), 't:1 TUNSETQUEUE 0x400'];
    expect(asked(driver)).toEqual(before);
    driver.start({ features: MERGEABLE + EVENT_IDX + MULTI_QUEUE });
    driver.usePairs(2);
    reset(driver);
    const lengths = (bytes: string): string[] => both((client) => [`${client} TUNSETVNETHDRSZ ${bytes}`]);
    const after = [...lengths('0xc'), 't:1 TUNSETQUEUE 0x200', 't:1 TUNSETQUEUE 0x400', ...lengths('0xa')];
    expect(asked(driver).slice(before.length)).toEqual(after);
  });

  test('of vhost', () => {
    const driver = driverOf();
    driver.usePairs(2);
    const begun = asked(driver).indexOf('t SET_FEATURES') - 4;
    const rings = (of: (ring: number) => readonly string[]): string[] => [0, 1].flatMap(of);
    const start = (client: string): string[] =>
      [
        ...['SET_FEATURES', 'SET_MEM_TABLE'],
        ...rings((ring) => ['NUM', 'BASE', 'ADDR', 'KICK'].map((what) => `SET_VRING_${what} ${ring}`)),
        ...rings((ring) => [`NET_SET_BACKEND ${ring}`]),
      ].map((what) => `${client} ${what}`);
    const calls = both((client) => rings((ring) => [`${client} SET_VRING_CALL ${ring}`]));
    expect(asked(driver).slice(begun)).toEqual([...calls, ...both(start), 't:1 TUNSETQUEUE 0x200']);
    const kept = asked(driver).length;
    reset(driver);
    const stop = (client: string): string[] =>
      ['NET_SET_BACKEND', 'GET_VRING_BASE'].flatMap((what) => rings((ring) => [`${client} ${what} ${ring}`]));
    expect(asked(driver).slice(kept, kept + 9)).toEqual([...both(stop), 't:1 TUNSETQUEUE 0x400']);
  });
});

/** A frame of the conversation that a test's driver speaks. */
const ANSWER = new Uint8Array(60).fill(0xff);
ANSWER.set([2, 0, 0, 0, 0, 9], 6);

function answer({ machine }: Driver): void {
  machine.frame('pcap#0', ANSWER);
  machine.liveTo(1e6);
}

const waiting = ({ machine }: Driver): number[] =>
  ['t', 't:1'].map((client) => machine.state.vmm.net!.taps![client]!.frames.length);

describe('what answers comes by the queue that was spoken by', () => {
  test('as long as it is attached', () => {
    const driver = driverOf();
    driver.send(1, 3);
    expect(driver.serve(1, 't:1')).toEqual(['more', 'empty']);
    expect(driver.ofKind('sim:tap_flow')).toEqual([]);
    answer(driver);
    expect(waiting(driver)).toEqual([1, 0]);
  });

  test.each([
    ['t:1', 3, [0, 1]],
    ['t', 1, [1, 0]],
  ] as const)('of %s', (client, ring, queues) => {
    const driver = driverOf();
    driver.usePairs(2);
    driver.send(1, ring);
    driver.serve(1, client);
    expect(driver.ofKind('sim:tap_flow')).toMatchObject([{ client, until: 3e9 }]);
    expect(driver.ofKind('sim:packet_delivered')).toMatchObject([{ client }]);
    answer(driver);
    expect(waiting(driver)).toEqual(queues);
    driver.add(ring - 1, BUFFERS, 1500);
    expect(driver.machine.serve({ tap: client })).toEqual(['more', 'empty']);
    expect(driver.usedIndex(ring - 1)).toBe(1);
  });
});

test('what waits in a queue that is detached is lost', () => {
  const driver = driverOf({ vhost: false });
  driver.usePairs(2);
  driver.send(1, 3);
  driver.put(BAR + 0x3000 + 12, 3, 2);
  answer(driver);
  expect(waiting(driver)).toEqual([0, 1]);
  driver.usePairs(1);
  expect(waiting(driver)).toEqual([0, 0]);
  expect(driver.ofKind('sim:packet_dropped').at(-1)).toMatchObject({ client: 't:1', packet: 1, why: 'queue detached' });
  const { attached } = driver.machine.state.vmm.devices['tap#1'] as unknown as TapState;
  expect(attached).toEqual(['t']);
});

test('rings of one queue that the kernel cannot serve are QEMU to serve, and those of the others', LONG, () => {
  const [rx, tx, , ...others] = RINGS;
  const driver = driverOf({ rings: [rx, tx, 0xfe00_0000, ...others] });
  expect(driver.ofKind('sim:vhost_refused')).toMatchObject([{ client: 't:1', errno: 12 }]);
  for (const client of ['t', 't:1']) {
    expect(driver.vringsOf(client).map(({ hasBackend }) => hasBackend)).toEqual([false, false]);
  }
});

test('what the kernel writes is logged by the device of each queue', LONG, () => {
  const driver = driverOf();
  driver.usePairs(2);
  driver.machine.measure();
  for (const [ring, client] of [
    [1, 't'],
    [3, 't:1'],
  ] as const) {
    driver.send(1, ring);
    driver.serve(1, client);
    const pages = Object.keys(driver.machine.state.vmm.net!.vhosts![client]!.log?.pages ?? {});
    expect(pages.length).toBeGreaterThan(0);
  }
});
