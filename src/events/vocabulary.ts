import { DEVICE_FACTS } from './device.ts';
import { IOCTL_EVENTS } from './ioctl.ts';
import { KVM_EVENTS } from './kvm.ts';
import { KVM_FACTS } from './kvm-facts.ts';
import { MMU_EVENTS } from './mmu.ts';
import { QEMU_EVENTS } from './qemu.ts';
import type { EventsOf, InputsOf } from './schema.ts';
import { SIM_EVENTS } from './sim.ts';

/** Every kind of event there is. To add one, add its row to its family's table, and one to reducers/table/. */
export const VOCABULARY = {
  ...KVM_EVENTS,
  ...MMU_EVENTS,
  ...QEMU_EVENTS,
  ...SIM_EVENTS,
  ...KVM_FACTS,
  ...IOCTL_EVENTS,
  ...DEVICE_FACTS,
} as const;

export type MachineEvent = EventsOf<typeof VOCABULARY>;
export type EventKind = MachineEvent['kind'];

/** The event of a kind. */
export type EventOf<K extends EventKind> = Extract<MachineEvent, { readonly kind: K }>;

/** Kinds of events from outside the machine. */
export type InputKind = InputsOf<typeof VOCABULARY>;
