import type { Driver } from '../../src/devices/driver.ts';
import { ioBase } from '../../src/devices/properties.ts';

/** Bytes that were typed and not read yet. */
export interface EchoState {
  readonly waiting: readonly number[];
}

export interface EchoSetup {
  readonly iobase: number;
}

/** A port that reads what is typed and prints what is written, and hears of each input. */
export const isaEcho: Driver<EchoState, EchoSetup> = {
  name: 'isa-echo',
  bus: 'ISA',
  category: 'Misc',
  properties: { iobase: ioBase(0x2e0) },
  chardev: 'required',
  create: ({ iobase }) => ({
    model: 'isa-echo',
    regions: [{ name: 'isa-echo', space: 'io', base: iobase, length: 1, minAccess: 1, maxAccess: 1 }],
    pins: ['heard'],
    read(echo, _region, _offset, _size, effects) {
      const [first] = echo.waiting;
      if (first === undefined) return 0;
      effects.commit();
      return first;
    },
    write(_echo, _region, _offset, _size, value, effects) {
      effects.commit();
      effects.ask({ to: 'chardev', bytes: Uint8Array.of(value) });
    },
    receive: (_echo, effects, { kind }) => effects.pin('heard', kind === 'sim:chardev_received'),
    describe: ({ waiting }) => ({ waiting: `${waiting.length} bytes` }),
  }),
  atReset: () => ({ waiting: [] }),
  reducer: {
    taken(echo) {
      echo.waiting.shift();
    },
    facts: {
      'sim:chardev_received'(echo, { bytes }) {
        echo.waiting.push(...bytes);
      },
    },
  },
};
