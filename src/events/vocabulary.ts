import { KVM_EVENTS } from './kvm.ts';
import { MMU_EVENTS } from './mmu.ts';
import { QEMU_EVENTS } from './qemu.ts';
import type { EventsOf } from './schema.ts';
import { SIM_EVENTS } from './sim.ts';

/** Every kind of event there is. To add one, add its row to its family's table. */
export const VOCABULARY = { ...KVM_EVENTS, ...MMU_EVENTS, ...QEMU_EVENTS, ...SIM_EVENTS } as const;

export type MachineEvent = EventsOf<typeof VOCABULARY>;
export type EventKind = MachineEvent['kind'];
