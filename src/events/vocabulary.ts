import { DEVICE_FACTS } from './device.ts';
import { DIRTY_FACTS, DIRTY_INPUTS } from './dirty.ts';
import { DISK_FACTS } from './disk.ts';
import { E1000_EVENTS } from './e1000.ts';
import { FRAMES_FACTS, FRAMES_INPUTS } from './frames.ts';
import { IOCTL_EVENTS } from './ioctl.ts';
import { KVM_EVENTS } from './kvm.ts';
import { KVM_FACTS } from './kvm-facts.ts';
import { LINUX_NET_FACTS } from './linux-net.ts';
import { MMU_EVENTS } from './mmu.ts';
import { NET_FACTS, NET_INPUTS } from './net.ts';
import { QEMU_EVENTS } from './qemu.ts';
import { RTL8139_EVENTS } from './rtl8139.ts';
import type { EventsOf, InputsOf, Receiver } from './schema.ts';
import { SIM_EVENTS } from './sim.ts';
import { USER_LIVE_FACTS, USER_LIVE_INPUTS } from './user-live.ts';
import { USER_NET_EVENTS } from './user-net.ts';
import { USER_TCP_EVENTS } from './user-tcp.ts';
import { VHOST_FACTS } from './vhost.ts';
import { VIRTIO_EVENTS } from './virtio.ts';
import { VIRTIO_BLK_EVENTS } from './virtio-blk.ts';
import { VIRTIO_NET_EVENTS } from './virtio-net.ts';

/** Every kind of event there is. To add one, add its row to its family's table, and one to reducers/table/. */
export const VOCABULARY = {
  ...KVM_EVENTS,
  ...MMU_EVENTS,
  ...QEMU_EVENTS,
  ...SIM_EVENTS,
  ...KVM_FACTS,
  ...IOCTL_EVENTS,
  ...DEVICE_FACTS,
  ...VIRTIO_EVENTS,
  ...VIRTIO_BLK_EVENTS,
  ...DISK_FACTS,
  ...NET_FACTS,
  ...NET_INPUTS,
  ...LINUX_NET_FACTS,
  ...VHOST_FACTS,
  ...E1000_EVENTS,
  ...RTL8139_EVENTS,
  ...VIRTIO_NET_EVENTS,
  ...USER_NET_EVENTS,
  ...USER_TCP_EVENTS,
  ...USER_LIVE_FACTS,
  ...USER_LIVE_INPUTS,
  ...FRAMES_FACTS,
  ...FRAMES_INPUTS,
  ...DIRTY_FACTS,
  ...DIRTY_INPUTS,
} as const;

export type MachineEvent = EventsOf<typeof VOCABULARY>;
export type EventKind = MachineEvent['kind'];

/** The event of a kind. */
export type EventOf<K extends EventKind> = Extract<MachineEvent, { readonly kind: K }>;

/** Kinds of events from outside the machine. */
export type InputKind = InputsOf<typeof VOCABULARY>;

/** The part that receives an input; undefined for what no device receives. */
export function receivingPart(event: MachineEvent): string | undefined {
  const { receiver }: { readonly receiver: Receiver | undefined } = VOCABULARY[event.kind];
  if (typeof receiver !== 'object') return undefined;
  const { part, field } = receiver;
  return field === undefined ? part : `${part}${String(Reflect.get(event, field))}`;
}

const NONE: readonly string[] = [];

const BYTES_FIELDS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(VOCABULARY)
    .map(([kind, { fields }]): [string, string[]] => [
      kind,
      Object.entries(fields).flatMap(([name, type]) => (type === 'bytes' || type === 'packet' ? [name] : [])),
    ])
    .filter(([, names]) => names.length > 0),
);

/** Fields of a kind that hold bytes: unlike all others they can be changed by whoever has the event. */
export const bytesFields = (kind: EventKind): readonly string[] => BYTES_FIELDS.get(kind) ?? NONE;
