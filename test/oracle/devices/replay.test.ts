import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Device, DeviceReducer, Region } from '../../../src/devices/device.ts';
import { HPET_REDUCER, hpet, hpetAtReset } from '../../../src/devices/hpet/index.ts';
import { I440FX_REDUCER, i440fx, i440fxAtReset } from '../../../src/devices/i440fx/index.ts';
import { I8042_REDUCER, i8042, i8042AtReset } from '../../../src/devices/i8042/index.ts';
import { I8237_REDUCER, i8237, i8237AtReset } from '../../../src/devices/i8237/index.ts';
import { MC146818_REDUCER, mc146818, rtcAtReset } from '../../../src/devices/mc146818/index.ts';
import { PC_TESTDEV_REDUCER, pcTestdev, pcTestdevAtReset } from '../../../src/devices/pc-testdev/index.ts';
import {
  configTarget,
  getConfig,
  type PciFunction,
  type PciFunctionState,
  regionBase,
} from '../../../src/devices/pci/index.ts';
import { PIIX3_REDUCER, piix3, piix3AtReset } from '../../../src/devices/piix3/index.ts';
import { PIIX3_IDE_REDUCER, piix3Ide, piix3IdeAtReset } from '../../../src/devices/piix3-ide/index.ts';
import { PIIX4_PM_REDUCER, piix4Pm, piix4PmAtReset } from '../../../src/devices/piix4-pm/index.ts';
import { UART_REDUCER, uart16550, uartAtReset } from '../../../src/devices/uart16550/index.ts';
import { Bench, writeConfig } from '../../devices/recorder.ts';
import { WORKLOADS } from './workloads.ts';

const RAM = 64 * 2 ** 20;
const WALL_CLOCK = 1_709_251_190_000_000_000n;

/** A device and what its place on the board takes: seats of all models stand in one list. */
interface Seat {
  readonly regions: readonly Region[];
  base(region: number): number | undefined;
  read(offset: number, size: number, region: number): number;
  write(offset: number, value: number, size: number, region: number): void;
  reset(): void;
  readonly config?: ConfigSeat;
}

/** The configuration space of a seat on the PCI bus. */
interface ConfigSeat {
  /** Slot times 8 plus function. */
  readonly devfn: number;
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
}

function seat<S>(device: Device<S>, reducer: DeviceReducer<S>, state: S): Seat & { readonly bench: Bench<S> } {
  const bench = new Bench(device, reducer, state);
  bench.powerOn(WALL_CLOCK);
  return {
    bench,
    regions: device.regions,
    base: (region) => device.regions[region]!.base,
    read: (offset, size, region) => bench.read(offset, size, region),
    write: (offset, value, size, region) => bench.write(offset, value, size, region),
    reset: () => bench.reset(),
  };
}

function pciSeat<S extends PciFunctionState>(
  device: PciFunction<S>,
  reducer: DeviceReducer<S>,
  state: S,
  devfn: number,
): Seat {
  const { bench, ...rest } = seat(device, reducer, state);
  return {
    ...rest,
    base: (region) => regionBase(device, state, region),
    config: {
      devfn,
      read: (offset, size) => getConfig(state.config, offset, size),
      write: (offset, size, value) => void writeConfig(bench, offset, size, value),
    },
  };
}

/** The devices of QEMU's machine on a bus as simple as can be. */
class Board {
  readonly bridge = i440fxAtReset({ ramBytes: RAM });
  readonly seats: readonly Seat[] = [
    pciSeat(i440fx, I440FX_REDUCER, this.bridge, 0),
    pciSeat(piix3, PIIX3_REDUCER, piix3AtReset(), 8),
    pciSeat(piix3Ide, PIIX3_IDE_REDUCER, piix3IdeAtReset(), 9),
    pciSeat(piix4Pm, PIIX4_PM_REDUCER, piix4PmAtReset({ smm: true, com1: true }), 11),
    seat(uart16550, UART_REDUCER, uartAtReset(0)),
    seat(i8042, I8042_REDUCER, i8042AtReset()),
    seat(i8237, I8237_REDUCER, i8237AtReset()),
    seat(hpet, HPET_REDUCER, hpetAtReset()),
    seat(pcTestdev, PC_TESTDEV_REDUCER, pcTestdevAtReset()),
    seat(mc146818, MC146818_REDUCER, rtcAtReset({ ramBelow4G: RAM, ramAbove4G: 0, cpus: 1 })),
  ];

  access(space: 'io' | 'memory', address: number, size: number, value?: number): number {
    if (space === 'io' && address >= 0xcfc && address < 0xd00) return this.#config(address - 0xcfc, size, value);
    const { seat: found, region, offset } = this.#find(space, address);
    const { minAccess, maxAccess } = found.regions[region]!;
    const step = Math.max(Math.min(size, maxAccess), minAccess);
    let read = 0;
    for (let at = 0; at < size; at += step) {
      if (value === undefined) read += found.read(offset + at, step, region) * 2 ** (8 * at);
      else found.write(offset + at, Math.floor(value / 2 ** (8 * at)) % 2 ** (8 * step), step, region);
    }
    return read % 2 ** (8 * size);
  }

  reset(): void {
    for (const each of this.seats) each.reset();
  }

  #config(offset: number, size: number, value?: number): number {
    const target = configTarget(this.bridge.configAddress, offset)!;
    const { config } = this.seats.find((s) => s.config?.devfn === target.slot * 8 + target.function)!;
    if (value === undefined) return config!.read(target.register, size);
    config!.write(target.register, size, value);
    return 0;
  }

  #find(space: string, address: number) {
    const hits = this.seats.flatMap((s) =>
      s.regions.flatMap((region, index) => {
        const base = s.base(index);
        const inside =
          region.space === space && base !== undefined && address >= base && address < base + region.length;
        return inside ? [{ seat: s, region: index, offset: address - base, priority: priority(region) }] : [];
      }),
    );
    return hits.sort((a, b) => b.priority - a.priority)[0]!;
  }
}

const priority = (region: Region): number => region.priority ?? 0;

describe('random accesses recorded from QEMU 7.2', () => {
  it.each([...Object.keys(WORKLOADS), 'reset'])('read the same from our devices: %s', (name) => {
    const board = new Board();
    const lines = readFileSync(new URL(`recorded/${name}.txt`, import.meta.url), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.length).toBeGreaterThan(500);
    for (const [index, line] of lines.entries()) {
      const [op, address, size, value] = line.split(' ') as [string, string, string, string];
      if (op === 'reset') {
        board.reset();
        continue;
      }
      const space = op === 'in' || op === 'out' ? 'io' : 'memory';
      const written = op === 'out' || op === 'write' ? Number.parseInt(value, 16) : undefined;
      const got = board.access(space, Number.parseInt(address, 16), Number(size), written);
      if (written === undefined)
        expect(`${index} ${op} ${address} ${got.toString(16)}`).toBe(`${index} ${op} ${address} ${value}`);
    }
  });
});
