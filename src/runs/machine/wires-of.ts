import type { NetClientConfig } from '../../vmm/config.ts';
import { netClients } from '../../vmm/pc/net-parts.ts';
import type { MachineDescription } from './machine-description.ts';
import { configurationOf } from './machine-description.ts';

/** Ends of the wires of a machine, as a trace describes it. Throws a Problem for one that cannot be made. */
export const wiresOf = (machine: MachineDescription): readonly NetClientConfig[] =>
  netClients(configurationOf(machine)) ?? [];
