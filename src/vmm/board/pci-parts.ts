import type { PciFunction, PciFunctionState } from '../../devices/pci/index.ts';
import type { Machine, Part } from './machine.ts';

/** The part that holds CONFIG_ADDRESS, PAM and SMRAM. */
export const HOST_BRIDGE = 'i440fx';

/** A PCI part with its model and state by their PCI types. */
export interface PciPart {
  readonly part: Part;
  readonly function: PciFunction<PciFunctionState>;
  readonly state: PciFunctionState;
}

/** Every PCI function of the machine. */
export const pciParts = (machine: Machine): PciPart[] =>
  machine.parts.flatMap((part) => (part.pci === undefined ? [] : [pciPart(machine, part)]));

/** A part that is a PCI function. */
export const pciPart = (machine: Machine, part: Part): PciPart => ({
  part,
  function: part.device as PciFunction<PciFunctionState>,
  state: machine.stateOf(part) as PciFunctionState,
});
