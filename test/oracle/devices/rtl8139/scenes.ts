/** All scenes, by the file they are recorded in. */
import { announced } from '../nic/announced.ts';
import type { Card } from '../nic/station.ts';
import type { Guest } from '../virtio/guest.ts';
import { configurationSpace } from '../virtio/scripts/config-space.ts';
import { descriptors, filters, lengths, loopback, oddRings, shortages, waiting } from './scripts/receive.ts';
import { atReset, eepromWires, oddAccesses, phyRegisters, randomRegisters, timer } from './scripts/registers.ts';
import { inParts, odd, packets, slots } from './scripts/transmit.ts';
import { type Scene, Station } from './station.ts';

const still = (name: string, script: Scene['script']): Scene => ({ name, script, isStill: true });

const scene = (name: string, script: Scene['script']): Scene => ({ name, script });

const SCENES: Readonly<Record<string, readonly Scene[]>> = {
  registers: [
    still('at reset', atReset),
    still('random registers', randomRegisters(1)),
    still('random registers again', randomRegisters(2)),
    still('random registers once more', randomRegisters(3)),
    still('odd accesses', oddAccesses),
  ],
  wires: [still('PHY', phyRegisters(5)), still('EEPROM', eepromWires(4)), scene('timer', timer)],
  transmit: [
    scene('slots', slots(6)),
    scene('packets', packets(7, ['plain'])),
    scene('checksums', packets(8, ['summed', 'plain'])),
    scene('segments', packets(9, ['cut', 'cut', 'summed'])),
    scene('in parts', inParts(10)),
    scene('odd', odd),
  ],
  receive: [
    scene('filters', filters(11)),
    scene('lengths', lengths(0)),
    scene('lengths, 16 KiB', lengths(0x800)),
    scene('lengths, 32 KiB, going on', lengths(0x1080)),
    scene('lengths, 64 KiB', lengths(0x1880)),
    scene('shortages', shortages(12)),
    scene('waiting', waiting),
    scene('descriptors', descriptors(0x03)),
    scene('descriptors, tags', descriptors(0x43)),
    scene('odd rings', oddRings),
    scene('loopback', loopback),
  ],
  configuration: [
    scene('configuration space', ({ machine }, say) => configurationSpace(machine as unknown as Guest, say)),
  ],
  announced: [
    scene('announced', (station, say) =>
      announced(station, say, { name: 'rtl8139.0', counts: () => station.causes() }),
    ),
  ],
};

export const RTL8139: Card<Station> = {
  driver: 'rtl8139',
  scenes: SCENES,
  station: (machine) => new Station(machine),
};
