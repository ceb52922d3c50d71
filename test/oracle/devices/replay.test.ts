import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Device, Effects, Region } from '../../../src/devices/device.ts';
import { hpet, hpetAtReset } from '../../../src/devices/hpet/index.ts';
import { i440fx, i440fxAtReset } from '../../../src/devices/i440fx/index.ts';
import { i8042, i8042AtReset } from '../../../src/devices/i8042/index.ts';
import { i8237, i8237AtReset } from '../../../src/devices/i8237/index.ts';
import { mc146818, rtcAtReset } from '../../../src/devices/mc146818/index.ts';
import { pcTestdev, pcTestdevAtReset } from '../../../src/devices/pc-testdev/index.ts';
import {
  configTarget,
  getConfig,
  type PciFunction,
  type PciFunctionState,
  regionBase,
  writeConfig,
} from '../../../src/devices/pci/index.ts';
import { piix3, piix3AtReset } from '../../../src/devices/piix3/index.ts';
import { piix3Ide, piix3IdeAtReset } from '../../../src/devices/piix3-ide/index.ts';
import { piix4Pm, piix4PmAtReset } from '../../../src/devices/piix4-pm/index.ts';
import { uart16550, uartAtReset } from '../../../src/devices/uart16550/index.ts';
import { WORKLOADS } from './workloads.ts';

const RAM = 64 * 2 ** 20;
const QUIET: Effects = {
  now: 0,
  raise: () => {},
  pin: () => {},
  ask: () => {},
  dmaRead: () => new Uint8Array(),
  dmaWrite: () => {},
};

interface Seat {
  readonly device: Device<unknown>;
  readonly state: unknown;
  readonly pci?: PciFunction<PciFunctionState>;
  /** Slot times 8 plus function. */
  readonly devfn?: number;
}

function seat<S>(device: Device<S>, state: S): Seat {
  return { device: device as Device<unknown>, state };
}

function pciSeat<S extends PciFunctionState>(device: PciFunction<S>, state: S, devfn: number): Seat {
  return { ...seat(device, state), pci: device as unknown as PciFunction<PciFunctionState>, devfn };
}

/** The devices of QEMU's machine on a bus as simple as can be. */
class Board {
  readonly bridge = i440fxAtReset({ ramBytes: RAM });
  readonly seats: readonly Seat[] = [
    pciSeat(i440fx, this.bridge, 0),
    pciSeat(piix3, piix3AtReset(), 8),
    pciSeat(piix3Ide, piix3IdeAtReset(), 9),
    pciSeat(piix4Pm, piix4PmAtReset({ smm: true, com1: true }), 11),
    seat(uart16550, uartAtReset(0)),
    seat(i8042, i8042AtReset()),
    seat(i8237, i8237AtReset()),
    seat(hpet, hpetAtReset()),
    seat(pcTestdev, pcTestdevAtReset()),
    seat(mc146818, rtcAtReset({ wallClockSeconds: 1709251190, ramBelow4G: RAM, ramAbove4G: 0, cpus: 1 })),
  ];

  access(space: 'io' | 'memory', address: number, size: number, value?: number): number {
    if (space === 'io' && address >= 0xcfc && address < 0xd00) return this.#config(address - 0xcfc, size, value);
    const { seat: found, region, offset } = this.#find(space, address);
    const { minAccess, maxAccess } = found.device.regions[region]!;
    const step = Math.max(Math.min(size, maxAccess), minAccess);
    let read = 0;
    for (let at = 0; at < size; at += step) {
      const { device, state } = found;
      if (value === undefined) read += device.read(state, region, offset + at, step, QUIET) * 2 ** (8 * at);
      else device.write(state, region, offset + at, step, Math.floor(value / 2 ** (8 * at)) % 2 ** (8 * step), QUIET);
    }
    return read % 2 ** (8 * size);
  }

  reset(): void {
    for (const { device, state } of this.seats) device.reset?.(state, QUIET);
  }

  #config(offset: number, size: number, value?: number): number {
    const target = configTarget(this.bridge.configAddress, offset)!;
    const found = this.seats.find((s) => s.devfn === target.slot * 8 + target.function)!;
    const state = found.state as PciFunctionState;
    if (value === undefined) return getConfig(state.config, target.register, size);
    writeConfig(found.pci!, state, target.register, size, value, QUIET);
    return 0;
  }

  #find(space: string, address: number) {
    const hits = this.seats.flatMap((s) =>
      s.device.regions.flatMap((region, index) => {
        const base = s.pci ? regionBase(s.pci, s.state as PciFunctionState, index) : region.base;
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
