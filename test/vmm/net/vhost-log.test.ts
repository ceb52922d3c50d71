import { describe, expect, test } from 'vitest';
import { pagesOf } from '../../../src/memory/page-bits.ts';
import { BAR, BUFFERS, COMMON, Driver, EVENT_IDX, HEADER, MERGEABLE } from './vhost-driver.ts';

/** Rings whose used part has its flags and index in one page, its entries and the driver's event in the next. */
const RINGS = [0x1_0ffc, 0x2_0ffc] as const;
const USED = [0x18, 0x28] as const;
const SECOND = 1e9;
const LOG_ALL = 1 << 26;

const frame = Uint8Array.from({ length: 100 }, (_, at) => (at < 6 ? 0xff : at));

function withFrame(driver: Driver): Driver {
  driver.machine.frame('pcap#0', frame);
  driver.machine.liveTo(driver.machine.state.clock.warpedNs + 1e6);
  return driver;
}

const started = (features = MERGEABLE + EVENT_IDX): Driver => new Driver().start({ features, rings: RINGS });

/** Measured from now on. */
function logging(driver: Driver): Driver {
  driver.machine.measure();
  return driver;
}

const logged = (driver: Driver): number[] => pagesOf(driver.machine.state.vmm.net!.vhosts!['t']!.log?.pages ?? {});

const taken = (driver: Driver): number[] => pagesOf(driver.machine.state.vmm.dirty!.pages.vhost);

/** What QEMU asks of vhost from one event on: its words, flags of rings, the bit of the log among features. */
const askedFrom = (driver: Driver, from: number): string[] =>
  driver.machine.events.slice(from).flatMap((event) => {
    if (event.kind !== 'sim:vhost_ioctl') return [];
    const { cmd, queue, arg, more } = event;
    const name = `${cmd.replace('VHOST_', '')}${queue < 0 ? '' : ` ${queue}`}`;
    if (cmd === 'VHOST_SET_FEATURES') return [`${name} ${(Number(arg) & LOG_ALL) === 0 ? 'off' : 'on'}`];
    if (cmd === 'VHOST_SET_LOG_BASE') return [`${name} ${arg}`];
    if (cmd !== 'VHOST_SET_VRING_ADDR') return [name];
    return [`${name} flags ${arg} log 0x${new DataView(more.buffer).getBigUint64(24, true).toString(16)}`];
  });

const rings = (flags: number): string[] =>
  RINGS.map((ring, queue) => `SET_VRING_ADDR ${queue} flags ${flags} log 0x${(ring + 0x8000).toString(16)}`);
/** 64 MiB of 64 pages each, up to the end. */
const BASE = 'SET_LOG_BASE 256';

// As vhost_migration_log, vhost_dev_start and vhost_dev_stop of QEMU 7.2 do.
describe('QEMU asks', () => {
  test('a device that is at work to log, and not to', () => {
    const driver = started();
    const before = driver.machine.events.length;
    logging(driver);
    expect(askedFrom(driver, before)).toEqual([BASE, 'SET_FEATURES on', ...rings(1)]);
    const middle = driver.machine.events.length;
    driver.machine.passTo(2 * SECOND);
    expect(askedFrom(driver, middle)).toEqual(['SET_FEATURES off', ...rings(0)]);
    expect(driver.machine.state.vmm.dirty).toMatchObject({ status: 'measured', tracking: 0 });
    expect(driver.machine.state.vmm.net!.vhosts!['t']).not.toHaveProperty('log');
  });

  test('a device that begins while memory is logged, before it has its backend', () => {
    const driver = new Driver();
    logging(driver);
    const before = driver.machine.events.length;
    driver.start({ rings: RINGS });
    const asked = askedFrom(driver, before);
    expect(asked.filter((line) => line.startsWith('SET_FEATURES'))).toEqual(['SET_FEATURES on']);
    expect(asked.filter((line) => line.startsWith('SET_VRING_ADDR'))).toEqual(rings(1));
    expect(asked.slice(-3)).toEqual([BASE, 'NET_SET_BACKEND 0', 'NET_SET_BACKEND 1']);
  });
});

describe('the log has', () => {
  test('of a frame that came what was written of its buffers, and what was of the used ring', () => {
    const driver = logging(withFrame(started()));
    driver.add(0, BUFFERS + 0xfc0, 64);
    driver.add(0, BUFFERS + 0x2f00, 0x1000);
    driver.machine.serve({ tap: 't' });
    // The header and 52 bytes fill the first to the end of its page; the rest does not reach the second's other page.
    expect(HEADER + frame.length - 64).toBeLessThan(0x100);
    expect(logged(driver)).toEqual([USED[0], USED[0] + 1, 0x100, 0x102]);
  });

  test('of one that was sent the used ring alone', () => {
    const driver = logging(started());
    driver.send(1);
    driver.serve(1);
    expect(logged(driver)).toEqual([USED[1], USED[1] + 1]);
  });

  test('flags of the used ring, where a driver has no event indices', () => {
    const driver = logging(started(MERGEABLE));
    driver.machine.serve({ tap: 't' });
    expect(logged(driver)).toEqual([USED[0]]);
  });

  test('nothing while nobody logs', () => {
    const driver = withFrame(started());
    driver.add(0, BUFFERS, 1500);
    driver.machine.serve({ tap: 't' });
    expect(driver.usedIndex(0)).toBe(1);
    expect(driver.ofKind('sim:vhost_log_write')).toEqual([]);
    expect(driver.machine.state.vmm.net!.vhosts!['t']).not.toHaveProperty('log');
  });
});

describe('what is logged is QEMU', () => {
  const EXPECTED = [USED[1], USED[1] + 1];

  test('once the measurement is over', () => {
    const driver = logging(started());
    driver.send(1);
    driver.serve(1);
    expect(taken(driver)).toEqual([]);
    driver.machine.passTo(2 * SECOND);
    expect(taken(driver)).toEqual(EXPECTED);
  });

  test('when the device stops before', () => {
    const driver = logging(started());
    driver.send(1);
    driver.serve(1);
    driver.put(BAR + COMMON.status, 0, 1);
    expect([taken(driver), logged(driver)]).toEqual([EXPECTED, []]);
  });
});
