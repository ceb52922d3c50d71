import { describe, expect, test } from 'vitest';
import { type PollingWatch, watchPolling } from '../../src/runs/underway/polling-guests.ts';

const COM1 = 0x3f8;
const EMPTY = 0x60;

function access(watch: PollingWatch, kind: 'read' | 'write', addr: number, value: number, times = 1): void {
  for (let at = 0; at < times; at += 1) {
    const event = {
      kind: `memory_region_ops_${kind}`,
      cpu_index: 0,
      mr: 1,
      addr,
      value,
      size: 1,
      name: 'serial',
    } as const;
    watch.next({ seq: at, tick: 0, source: 16, cause: undefined, within: undefined, event });
  }
}

describe('a guest that polls a serial line', () => {
  test('awaits input once it has asked often enough and done nothing else', () => {
    const watch = watchPolling();
    access(watch, 'read', COM1 + 5, EMPTY, 63);
    expect(watch.awaits(0)).toBe(false);
    access(watch, 'read', COM1 + 5, EMPTY);
    expect([watch.awaits(0), watch.awaits(1)]).toEqual([true, false]);
  });

  test('does not while it prints, looking at the status before each byte', () => {
    const watch = watchPolling();
    for (let at = 0; at < 1000; at += 1) {
      access(watch, 'read', COM1 + 5, EMPTY);
      access(watch, 'write', COM1, 65);
    }
    expect(watch.awaits(0)).toBe(false);
  });

  test('does not while it waits for the transmitter or has a byte to fetch', () => {
    const watch = watchPolling();
    access(watch, 'read', COM1 + 5, 0, 1000);
    expect(watch.awaits(0)).toBe(false);
    access(watch, 'read', COM1 + 5, EMPTY | 1, 1000);
    expect(watch.awaits(0)).toBe(false);
  });
});
