/** All scenes, by the file they are recorded in. */
import { heldBack, letThrough, links } from './scripts/interrupts.ts';
import { eepromWires, phyCommands, randomRegisters } from './scripts/registers.ts';
import type { Scene } from './station.ts';

const still = (name: string, script: Scene['script'], properties: Scene['properties'] = {}): Scene => ({
  name,
  script,
  properties,
  isStill: true,
});

export const SCENES: Readonly<Record<string, readonly Scene[]>> = {
  registers: [
    still('random registers', randomRegisters(1)),
    still('random registers again', randomRegisters(2)),
    still('random registers, none of the last', randomRegisters(3), { extra_mac_registers: false }),
    still('random registers, no mitigation', randomRegisters(4), { mitigation: false, 'init-vet': false }),
  ],
  wires: [
    still('EEPROM', eepromWires(5)),
    still('PHY', phyCommands(6)),
    still('PHY alone', phyCommands(7), { autonegotiation: false }),
  ],
  interrupts: [
    still('held back', heldBack(8)),
    still('nothing held back', heldBack(9), { mitigation: false }),
    { name: 'let through', script: letThrough },
    { name: 'links', script: links },
    { name: 'links without negotiation', script: links, properties: { autonegotiation: false } },
  ],
};
