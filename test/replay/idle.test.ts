import { afterEach, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.ts';
import { type PciTestdevState, pciTestdev } from '../../src/devices/pci-testdev/index.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { createTimeline } from '../../src/replay/timeline.ts';
import { inputQueue, typed } from '../machine/pc.ts';
import { choose, HALTED, kick, PLACED, signallingMachine } from '../machine/signalling.ts';
import { LONG } from '../how-long.ts';

/** Power-on's PIT, which is masked: once in 54.9 ms. */
const PERIOD_NS = 54_925_401;
/** More jumps over idle time than after which nothing is expected any more. */
const MANY = 20_500;
const END = { tick: 30_000 };

/** A guest that halts for good while a timer goes on that cannot wake it. */
const code = [...PLACED, ...choose(1), ...kick(1), ...HALTED];

/** No device may raise what KVM does: it is played here. */
const anything = (effects: { raise: unknown }) => effects as { raise(event: MachineEvent): void };

describe('a guest that is halted for good while a masked timer goes on', LONG, () => {
  const device: Pick<Device<PciTestdevState>, 'notified'> = pciTestdev;
  afterEach(() => {
    delete device.notified;
  });

  test('is idle after a while, but not while an input waits or as far as the caller said', () => {
    const { machine, events } = signallingMachine({ code, inputs: inputQueue([typed('x', { ns: MANY * PERIOD_NS })]) });
    expect(machine.advance({ ns: (MANY - 100) * PERIOD_NS })).toEqual({ why: 'until' });
    expect(machine.advance(END)).toEqual({ why: 'idle' });
    const received = events.findIndex(({ event }) => event.kind === 'sim:serial_received');
    expect(received).toBeGreaterThan(0);
    const warps = events.slice(received).filter(({ event }) => event.kind === 'sim:idle_warped');
    expect(warps.length).toBe(20_000);
  });

  test('is not at the end of its past while that holds more events', () => {
    const timeline = createTimeline({
      build: (parts) => signallingMachine({ code, ...parts }).machine,
      inputs: inputQueue(),
      onEvent: () => undefined,
    });
    for (let at = 1; at <= MANY; at += 500) timeline.advance({ ns: at * PERIOD_NS });
    const { end } = timeline;
    expect(timeline.seek(5).seq).toBeLessThan(1000);
    expect(timeline.advance(END)).toEqual({ why: 'idle' });
    expect(timeline.now.seq).toBeGreaterThanOrEqual(end.seq);
  });

  test('is not idle while a worker works', () => {
    let times = 0;
    device.notified = (_dev, _id, effects) => {
      effects.commit();
      times += 1;
      // Its own signal: there is more to do.
      if (times < MANY) anything(effects).raise({ kind: 'sim:eventfd_signal', fd: 13, n: 1, by: 'test' });
      return 0;
    };
    const { machine, events } = signallingMachine({ code });
    expect(machine.advance(END)).toEqual({ why: 'idle' });
    expect(times).toBe(MANY);
    expect(events.filter(({ event }) => event.kind === 'sim:thread_ran').length).toBe(MANY);
  });
});
