/** All state of QEMU's half: plain values, complete. What follows from it is rebuilt. */
import type { Source } from '../events/stamped.ts';
import type { Gpa, Hva, Ns, Seq } from '../base/units.ts';
import type { EventOf } from '../events/vocabulary.ts';
import type { Timers } from '../events/timers.ts';
import type { DiskRequest } from '../devices/device.ts';
import type { DirtyState } from './dirty/state.ts';
import type { OptionState, StateOf } from './models.ts';
import type { VhostState } from './vhost/state.ts';

/** A KVM memory slot in use, as set by KVM_SET_USER_MEMORY_REGION. */
export interface MemorySlot {
  readonly slot: number;
  readonly flags: number;
  readonly gpa: Gpa;
  readonly size: number;
  readonly hva: Hva;
}

/** One of a device's eventfds, who polls it, and the writes KVM signals to it now. */
export interface BoundEventfd {
  /** The part, and the device's own number of it. */
  readonly dev: string;
  readonly id: number;
  readonly thread: Source;
  /** Writes it stands for; none: it is kept for when the device wants it again. */
  readonly places: readonly EventfdPlace[];
}

/** A message KVM sends when an eventfd is signalled. */
export interface MsiRoute {
  /** undefined: it has no route any more; the eventfd is kept for the next. */
  readonly gsi: number | undefined;
  readonly fd: number;
  readonly address: bigint;
  readonly data: number;
  /** The eventfd is an irqfd now: not while the vector is masked. */
  readonly bound: boolean;
}

/** Writes an eventfd stands for. `match` undefined: any value. */
export interface EventfdPlace {
  readonly addr: number;
  readonly size: number;
  readonly pio: boolean;
  readonly match: number | undefined;
}

/** A request to a drive that is not done yet. */
export interface RequestInFlight extends Omit<DiskRequest, 'drive'> {
  /** The part that asked. */
  readonly dev: string;
  /** Virtual nanosecond at which it is done. */
  readonly due: Ns;
  /** Sequence number of the fact that submitted it. */
  readonly submitted: Seq;
}

/** A request that failed, and is asked again once the machine goes on. */
export interface RequestHeld extends Omit<DiskRequest, 'drive'> {
  readonly dev: string;
  /** Why it failed. */
  readonly errno: number;
}

/** What a drive does, apart from the bytes it holds. */
export interface DriveState {
  /** As they are going to complete. */
  readonly inFlight: readonly RequestInFlight[];
  /** Requests that are done, by what they asked for. */
  readonly done: Readonly<Partial<Record<DiskRequest['op'], number>>>;
  /** Those among them that failed. */
  readonly failed: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** How many times it was written or cleared since all it holds was durable. */
  readonly unflushed: number;
  /** Its size now, and how much of its image shows: what was cut off does not come back. Absent: as it was made. */
  readonly size?: { readonly sectors: number; readonly shown: number };
  /** Absent: none. */
  readonly held?: readonly RequestHeld[];
  /** Of its faults those that happen once and have happened. Absent: none. */
  readonly spent?: readonly number[];
}

/** A packet whose bytes the state has. */
export interface PacketAtHand {
  readonly packet: number;
  /** A byte a character. */
  readonly bytes: string;
  /** What is left to be done to it. Absent: nothing. */
  readonly header?: string;
}

/** A packet that waits for the client it was sent to. */
export interface PacketWaiting extends PacketAtHand {
  /** The client that sent it last: a NIC, a backend, a port of a hub or a bridge. */
  readonly sender: string;
  /** Its sender does not hear when it is taken. Absent: it does, if it wants to. */
  readonly isQuiet?: true;
}

/** A packet on its way to a client. */
export interface PacketUnderway extends PacketWaiting {
  readonly client: string;
  /** Virtual nanosecond at which it arrives. */
  readonly due: Ns;
  /** Sequence number of the fact that sent it. */
  readonly sent: Seq;
}

/** What went one way. */
export interface PacketCount {
  readonly packets: number;
  readonly bytes: number;
}

/** One end of a wire. */
export interface NetClientState {
  readonly isLinkDown: boolean;
  /** It refused a packet, and has not asked for more since: QEMU's receive_disabled. */
  readonly isBlocked: boolean;
  /** What waits for it, oldest first. */
  readonly queue: readonly PacketWaiting[];
  readonly sent: PacketCount;
  readonly received: PacketCount;
  readonly dropped: number;
}

/** Cards are announced again and again. */
export interface Announcement extends Omit<EventOf<'sim:announce_asked'>, 'kind'> {
  /** How often still. */
  readonly round: number;
  /** Virtual nanosecond at which it comes next, and the fact that says so. */
  readonly due: Ns;
  readonly waits: Seq;
}

/** The queue between a tap's interface and whoever reads its file descriptor. */
export interface TapQueue {
  /** The main loop looks whether there is something in it. */
  readonly isPolled: boolean;
  /** Oldest first. */
  readonly frames: readonly PacketAtHand[];
}

export interface NetState {
  /** How many packets have been sent: the number of the next. */
  readonly packets: number;
  /** What somebody sent at once, handed on or took last: facts say its bytes by its number. undefined: nothing is. */
  readonly atHand: PacketAtHand | undefined;
  /** As they are going to arrive. */
  readonly underway: readonly PacketUnderway[];
  readonly clients: Readonly<Record<string, NetClientState>>;
  /** Absent: none. */
  readonly announcing?: readonly Announcement[];
  /** By net client. Absent: the machine has neither taps nor bridges. */
  readonly taps?: Readonly<Record<string, TapQueue>>;
  /** Devices of the kernel that serve rings, by the tap's net client. Absent: there is none. */
  readonly vhosts?: Readonly<Record<string, VhostState>>;
}

/** Why nothing happens any more: a drive's request failed. */
export interface Stop {
  readonly why: 'io-error';
  readonly drive: string;
}

/** State of each device by the name of its part. */
export interface DevicesState {
  readonly i440fx: StateOf<'i440fx'>;
  readonly piix3: StateOf<'piix3'>;
  readonly 'piix3-ide': StateOf<'piix3Ide'>;
  readonly 'piix4-pm': StateOf<'piix4Pm'>;
  readonly rtc: StateOf<'mc146818'>;
  readonly hpet: StateOf<'hpet'>;
  readonly i8042: StateOf<'i8042'>;
  readonly port92: StateOf<'port92'>;
  readonly i8237: StateOf<'i8237'>;
  readonly 'debug-ports': StateOf<'debugPorts'>;
  readonly kvmvapic: StateOf<'kvmvapic'>;
  readonly 'cpu-hotplug': StateOf<'cpuHotplug'>;
  readonly 'pci-hotplug': StateOf<'pciHotplug'>;
  readonly serial0?: StateOf<'uart16550'>;
  readonly serial1?: StateOf<'uart16550'>;
  readonly serial2?: StateOf<'uart16550'>;
  readonly serial3?: StateOf<'uart16550'>;
  readonly fw_cfg: StateOf<'fwCfg'>;
  readonly 'direct-boot'?: StateOf<'directBoot'>;
  readonly [option: `${string}#${number}`]: OptionState;
}

/** Sleep with memory kept (S3): on its way, or begun. */
export interface Sleep {
  readonly isAsleep: boolean;
  /** What wakes the machine, once something does. */
  readonly wokenBy: string | undefined;
}

export interface VmmState {
  readonly devices: DevicesState;
  /** KVM memory slots in use. */
  readonly slots: readonly MemorySlot[];
  /** Levels of output pins that moved, as `part.pin`. */
  readonly pins: Readonly<Record<string, boolean>>;
  /** Eventfds of devices by their descriptors. */
  readonly eventfds: Readonly<Record<number, BoundEventfd>>;
  /** Vectors of MSI-X that are MSI routes of KVM, as `part.vector`. */
  readonly msiRoutes: Readonly<Record<string, MsiRoute>>;
  /** The devices' timers, as `part.timer`. */
  readonly timers: Timers;
  /** Who asked for a reset that has not happened yet. */
  readonly resetBy: string | undefined;
  /** By their `id`. */
  readonly drives: Readonly<Record<string, DriveState>>;
  /** Absent: there is nobody on any wire. */
  readonly net?: NetState;
  /** Absent while the machine is awake. */
  readonly sleep?: Sleep;
  /** Absent while the machine runs. */
  readonly stopped?: Stop;
  /** Absent: nobody has asked for a measurement of written pages. */
  readonly dirty?: DirtyState;
}
