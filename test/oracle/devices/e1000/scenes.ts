/** All scenes, by the file they are recorded in. */
import { heldBack, howLong, letThrough, links } from './scripts/interrupts.ts';
import { loopback } from './scripts/loopback.ts';
import { filters, lengths, oddReceiveRings, shortages, tags, waiting } from './scripts/receive.ts';
import { eepromWires, oddAccesses, phyCommands, randomRegisters } from './scripts/registers.ts';
import { configurationSpace } from '../virtio/scripts/config-space.ts';
import type { Guest } from '../virtio/guest.ts';
import { STATISTICS } from './scripts/statistics.ts';
import { delayed, edges, inParts, oddRings, packets, wild } from './scripts/transmit.ts';
import { announced } from '../nic/announced.ts';
import type { Card } from '../nic/station.ts';
import { type Scene, Station } from './station.ts';

const still = (name: string, script: Scene['script'], properties: Scene['properties'] = {}): Scene => ({
  name,
  script,
  properties,
  isStill: true,
});

/** What a PCI function shows: a script for any of them. */
const configuration: Scene['script'] = ({ machine }, say) => configurationSpace(machine as unknown as Guest, say);

const SCENES: Readonly<Record<string, readonly Scene[]>> = {
  registers: [
    still('random registers', randomRegisters(1)),
    still('random registers again', randomRegisters(2)),
    still('random registers, none of the last', randomRegisters(3), { extra_mac_registers: false }),
    still('random registers, no mitigation', randomRegisters(4), { mitigation: false, 'init-vet': false }),
  ],
  accesses: [still('odd accesses', oddAccesses)],
  configuration: [{ name: 'configuration space', script: configuration }],
  wires: [
    still('EEPROM', eepromWires(5)),
    still('PHY', phyCommands(6)),
    still('PHY alone', phyCommands(7), { autonegotiation: false }),
  ],
  interrupts: [
    still('held back', heldBack(8)),
    still('nothing held back', heldBack(9), { mitigation: false }),
    { name: 'let through', script: letThrough },
    { name: 'how long', script: howLong },
    { name: 'links', script: links },
    { name: 'links without negotiation', script: links, properties: { autonegotiation: false } },
  ],
  transmit: [
    { name: 'packets', script: packets(10) },
    { name: 'packets, tags', script: packets(11, 0x4014_0240) },
    { name: 'in parts', script: inParts(12) },
    { name: 'odd rings', script: oddRings },
    { name: 'told late', script: delayed },
    { name: 'edges', script: edges },
    { name: 'wild', script: wild(13) },
    { name: 'wild again', script: wild(14) },
    { name: 'wild once more', script: wild(15) },
    { name: 'loopback', script: loopback },
  ],
  receive: [
    { name: 'filters', script: filters(16) },
    { name: 'lengths', script: lengths(0, 0x0014_0240) },
    { name: 'lengths, long', script: lengths(0x20, 0x0014_0240) },
    { name: 'lengths, tags, no FCS', script: lengths(0x400_0020, 0x4014_0240) },
    { name: 'lengths, 256 bytes', script: lengths(0x3_0020, 0x4014_0240) },
    { name: 'lengths, 16384 bytes, bad ones', script: lengths(0x201_0004, 0x0014_0240) },
    { name: 'lengths, reserved size', script: lengths(0x200_0000, 0x4014_0240) },
    { name: 'shortages', script: shortages(17) },
    { name: 'waiting', script: waiting },
    { name: 'tags', script: tags },
    { name: 'odd rings', script: oddReceiveRings },
  ],
  announced: [
    {
      name: 'announced',
      script: (station, say) => announced(station, say, { name: 'e1000.0', counts: () => station.values(STATISTICS) }),
    },
  ],
};

export const E1000: Card<Station> = { driver: 'e1000', scenes: SCENES, station: (machine) => new Station(machine) };
