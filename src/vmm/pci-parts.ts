import type { PciFunction, PciFunctionState } from '../devices/pci/index.ts';
import type { Machine, Part } from './machine.ts';

/** The part that holds CONFIG_ADDRESS, PAM and SMRAM. */
export const HOST_BRIDGE = 'i440fx';

/** A PCI part with its model and state by their PCI types. */
export interface PciPart {
  readonly index: number;
  readonly part: Part;
  readonly function: PciFunction<PciFunctionState>;
  readonly state: PciFunctionState;
}

/** Every PCI function of the machine. */
export function pciParts(machine: Machine): PciPart[] {
  return machine.parts.flatMap((part, index) => (part.pci === undefined ? [] : [pciPart(machine, index)]));
}

/** A PCI function by the index of its part. */
export function pciPart(machine: Machine, index: number): PciPart {
  const part = machine.parts[index]!;
  return {
    index,
    part,
    function: part.device as PciFunction<PciFunctionState>,
    state: machine.state.devices[part.name] as PciFunctionState,
  };
}
