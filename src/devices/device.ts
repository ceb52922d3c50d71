import type { Draft } from '../base/draft.ts';
import type { Gpa, Ns, Seq } from '../base/units.ts';
import type { Stamped } from '../events/stamped.ts';
import type { DEVICE_FACTS } from '../events/device.ts';
import type { E1000_EVENTS } from '../events/e1000.ts';
import type { RTL8139_EVENTS } from '../events/rtl8139.ts';
import type { FRAMES_FACTS } from '../events/frames.ts';
import type { LINUX_NET_FACTS } from '../events/linux-net.ts';
import type { USER_LIVE_FACTS } from '../events/user-live.ts';
import type { USER_NET_EVENTS } from '../events/user-net.ts';
import type { USER_TCP_EVENTS } from '../events/user-tcp.ts';
import type { VIRTIO_EVENTS } from '../events/virtio.ts';
import type { VIRTIO_BLK_EVENTS } from '../events/virtio-blk.ts';
import type { VIRTIO_NET_EVENTS } from '../events/virtio-net.ts';
import type { EventKind, EventOf, MachineEvent } from '../events/vocabulary.ts';
import type { Packet, PacketCalls } from './packet.ts';
import type { VhostCalls } from './vhost.ts';

export type { NetPeer, Packet } from './packet.ts';

/** What the board puts on record, for whom devices have verbs. */
type BoardFact =
  | 'sim:irq_line'
  | 'sim:register_taken'
  | 'sim:device_reset'
  | 'sim:device_notified'
  | 'sim:dma'
  | 'sim:dma_gathered'
  | 'sim:device_data'
  | 'sim:msi_pending'
  | 'sim:msi_route'
  | 'sim:reset_asked'
  | 'sim:reset'
  | 'sim:suspend_asked'
  | 'sim:suspended'
  | 'sim:machine_stopped'
  | 'sim:machine_continued'
  | 'sim:wakeup_asked'
  | 'sim:woken'
  | 'sim:eventfd_bound';

/** What a device may raise by itself: facts of its own, or that it ends the run. */
export type DeviceFact = EventOf<
  | Exclude<keyof typeof DEVICE_FACTS, BoardFact>
  | keyof typeof VIRTIO_EVENTS
  | keyof typeof VIRTIO_BLK_EVENTS
  | keyof typeof VIRTIO_NET_EVENTS
  | keyof typeof E1000_EVENTS
  | keyof typeof RTL8139_EVENTS
  | keyof typeof USER_NET_EVENTS
  | keyof typeof USER_TCP_EVENTS
  | keyof typeof USER_LIVE_FACTS
  | keyof typeof FRAMES_FACTS
  | keyof typeof LINUX_NET_FACTS
  | 'sim:exit_requested'
  | 'sim:powered_off'
  | 'sim:guest_panicked'
>;

/** What may wake a machine that sleeps. */
export type WakeReason = 'rtc' | 'pm-timer' | 'other';

/** What a drive is. */
export interface DriveInfo {
  /** Of 512 bytes. */
  readonly sectors: number;
  readonly readOnly: boolean;
  /** Writes wait in a cache for a flush, as long as a guest does not turn that off. */
  readonly writeCache: boolean;
  /** As `-drive serial=` has it; else empty. */
  readonly serial: string;
  /** What is discarded reads as zeroes: `discard=unmap`. Else a discard is done, and changes nothing. */
  readonly discards?: boolean;
  /** What becomes of a read that fails, and of anything else. Absent: `report` and `enospc`. */
  readonly rerror?: ErrorPolicy | undefined;
  readonly werror?: ErrorPolicy | undefined;
}

/**
 * What is done about a request that fails: the guest is told, or told that nothing happened, or the machine stops until
 * somebody lets it go on and try again. `enospc`: it stops where there is no space, and else the guest is told.
 */
export type ErrorPolicy = (typeof ERROR_POLICIES)[number];

export const ERROR_POLICIES = ['report', 'ignore', 'enospc', 'stop'] as const;

/** What is done about one that failed. */
export type ErrorAction = Exclude<ErrorPolicy, 'enospc'>;

export const DISK_OPERATIONS = ['read', 'write', 'flush', 'discard', 'write-zeroes'] as const;

export type DiskOperation = (typeof DISK_OPERATIONS)[number];

/** What a device asks of a drive. */
export interface DiskRequest {
  readonly drive: string;
  /** The device's own number of it, among its requests in flight. */
  readonly tag: number;
  readonly op: DiskOperation;
  /** In bytes, both zero for a flush. */
  readonly offset: number;
  readonly length: number;
  /** A write is durable when it completes, and what completed before it. */
  readonly fua?: boolean;
}

/** What a device may ask of the host. `chardev`: print these bytes where its `chardev` property says. */
export interface Ask {
  readonly to: 'chardev';
  readonly bytes: Uint8Array;
}

/** What a device that decides may do. `now` is virtual nanoseconds since power-on. */
export interface Effects extends VhostCalls, PacketCalls {
  readonly now: Ns;
  /** What the machine calls the device, for facts that say whose they are. */
  readonly name: string;
  /**
   * Put on record what the device was called for: the write, the read that changes what it reads, the reset. When this
   * returns the state has changed by the device's own `DeviceReducer`, and what the device does next is caused by it.
   */
  commit(): void;
  /** Put a fact of the device on record; its reducer has changed the state when this returns. */
  raise(event: DeviceFact): void;
  /**
   * Drive one of the device's own output pins (named in its `pins`). The machine knows the wiring.
   * As in QEMU the same level may be driven again: whether that goes further is the wiring's choice. since: the fact
   * that made it, where it has waited for something since.
   */
  pin(name: string, high: boolean, since?: Seq): void;
  /** Arm one of the device's own timers (named in its `timers`), or arm it anew. */
  arm(timer: string, deadline: Ns): void;
  /** Stop one of the device's own timers, if it is armed. */
  cancel(timer: string): void;
  /** When one of the device's own timers is due; undefined while it is not armed. */
  deadline(timer: string): Ns | undefined;
  /** Ask something of the world outside, which answers nothing, or later by an input. */
  ask(what: Ask): void;
  /**
   * Raise one of a PCI function's message-signalled interrupts, by MSI-X or else by MSI, whichever a guest has turned
   * on. One that is masked waits. False: neither is on, so the pin `intx` is to be driven instead.
   */
  msi(vector: number): boolean;
  /** Bytes of a stream of chance, which go on record. */
  random(stream: string, length: number): Uint8Array;
  /** Put bytes on record that the device keeps, like those it read by DMA: `sim:device_data` of its reducer's facts. */
  keep(offset: number, bytes: Uint8Array): void;
  /** Reset the machine, once the access under way is over. */
  requestReset(): void;
  /** Put the machine to sleep with its memory kept, once the access under way is over. */
  requestSuspend(): void;
  /** Wake the machine, if it sleeps and may be woken by this. */
  requestWakeup(by: WakeReason): void;
  /** How many of so many bytes from an address on somebody answers: DMA beyond them fails. */
  dmaReach(gpa: Gpa, length: number): number;
  /** How many of so many bytes from an address on are memory: registers are not, which DMA reaches as well. */
  ramReach(gpa: Gpa, length: number): number;
  /** All that is read of memory meanwhile is one fact when it is over: a ring, its descriptors, what they point to. */
  transaction<T>(reads: () => T): T;
  /** Guest-physical memory as the device's DMA sees it, to decide by: the bytes go on record. */
  dmaRead(gpa: Gpa, length: number): Uint8Array;
  dmaWrite(gpa: Gpa, bytes: Uint8Array): void;
  /** The same where a fact of the device's own has told what is written: places of a ring. */
  dmaTold(gpa: Gpa, bytes: Uint8Array): void;
  /**
   * Bytes of memory for bulk state or the outside: sectors, packets. Only a digest goes on record, so that nothing may
   * be decided by them: a rerun has others.
   */
  payload(gpa: Gpa, length: number): Uint8Array;
  /**
   * The bytes that `sim:payload_received` named, then or later: for memory by `dmaWrite`, or for bulk state. What is
   * decided may follow from its length and its name, not from them: a rerun has zeroes.
   */
  payloadOf(sha256: string): Uint8Array;
  /** A drive of the machine, by its `id`. */
  drive(id: string): DriveInfo | undefined;
  /** Ask something of a drive: `completed` is called once it is done. First come what is due first, then as asked. */
  submit(request: DiskRequest): void;
  /**
   * A request that completed has failed, with this errno as a negative number: what is to be done about it, by the
   * device's own policy or else its drive's. `stop`: it is asked again once the machine goes on.
   */
  failed(request: DiskRequest, result: number, policy: ErrorPolicy | undefined): ErrorAction;
  /** Have all requests of the device to a drive complete now, and forget those that wait to be asked again. */
  drain(drive: string): void;
  /** Bytes a drive holds, for memory: nothing may be decided by them, as for `payload`. */
  diskRead(drive: string, offset: number, length: number): Uint8Array;
  /** The drive holds these bytes of `payload` from now on. */
  diskWrite(drive: string, offset: number, bytes: Uint8Array): void;
  /** It holds zeroes. */
  diskClear(drive: string, offset: number, length: number): void;
  /** Bytes of a file the device was made with, by what its setup calls it: as for `payloadOf`. */
  fileBytes(file: string, offset: number, length: number): Uint8Array;
}

/** One range of registers a device answers: I/O ports or memory-mapped. */
export interface Region {
  readonly name: string;
  readonly space: 'io' | 'memory';
  /** Default base; `undefined` when a BAR places it. */
  readonly base?: number;
  readonly length: number;
  /** Where two regions overlap the higher one answers; default 0. An access goes whole to its first byte's region. */
  readonly priority?: number;
  /** Access widths the model itself handles. Wider ones come in pieces; of a widened one the low part is kept. */
  readonly minAccess: 1 | 2 | 4 | 8;
  readonly maxAccess: 1 | 2 | 4 | 8;
  /** Narrower accesses read zero and write nothing; default 1. */
  readonly leastAccess?: 1 | 2 | 4 | 8;
  /** Of a PCI function: it lies in a base address register's range, from an offset on. */
  readonly bar?: { readonly index: number; readonly offset: number };
  /** Read-only memory that holds this, instead of registers. */
  readonly content?: Uint8Array;
}

/** A write that becomes a signal. */
export interface EventfdWrite {
  /** Which of the device's signals it is: a queue's number. Several writes may be the same. */
  readonly id: number;
  /** By its place in `regions`. */
  readonly region: number;
  readonly offset: number;
  /** 0: of any width. */
  readonly size: 0 | 1 | 2 | 4 | 8;
  /** Only this value; `undefined`: any. */
  readonly match: number | undefined;
  /** It is signalled once as soon as it is there: for what was asked before. */
  readonly isPrimed?: boolean;
  /** A worker of the kernel waits for it. */
  readonly byKernel?: boolean;
}

/**
 * A device model introduces itself in one value. It knows no bus, no neighbour and no machine. What it decides it tells
 * by facts; its state `S` is changed by its `DeviceReducer` alone, at once, when the fact is raised: whoever needs a
 * register as it was must read it before `commit`. The state is a plain value, complete: numbers, strings, booleans,
 * arrays and objects of them, bigint where 64 bits are needed.
 */
export interface Device<S> {
  readonly model: string;
  readonly regions: readonly Region[];
  readonly pins: readonly string[];
  /** Pins that others drive, for `input`. */
  readonly inputs?: readonly string[];
  /** Names of its timers, in the order in which those due at once expire. */
  readonly timers?: readonly string[];
  /** Called once, when the machine is powered on: what runs from then on is armed. */
  powerOn?(state: S, effects: Effects): void;
  /** A read that changes something commits before its consequences. */
  read(state: S, region: number, offset: number, size: number, effects: Effects): number;
  /** A write with consequences, which commits. Without: a write does no more than the reducer says. */
  write?(state: S, region: number, offset: number, size: number, value: number, effects: Effects): void;
  /** One of `inputs` was driven. */
  input?(state: S, name: string, high: boolean, effects: Effects): void;
  /** One of its timers fired. It was due at `deadline`: time may have passed since. */
  expire?(state: S, timer: string, effects: Effects, deadline: Ns): void;
  /** An input arrived from outside whose row names this device: it is in the state already, by the reducer's facts. */
  receive?(state: S, effects: Effects, input: MachineEvent): void;
  /** Writes the device wants as signals of eventfds instead of calls, as its state is now. */
  eventfds?(state: S): readonly EventfdWrite[];
  /**
   * A thread found one of them signalled, which commits: since when and how often it cannot tell. Returns how many
   * elements there were to deal with. Without: a signal does no more than the reducer says.
   */
  notified?(state: S, id: number, effects: Effects): number;
  /**
   * A request to a drive is done, as `sim:disk_completed` has told the device's reducer. result: 0, or an errno as a
   * negative number. The bytes move now, and by the device: a write is in the drive's cache when its request is done, a
   * flush makes durable what was done before it.
   */
  completed?(state: S, request: DiskRequest, result: number, effects: Effects): void;
  /** A drive has another size, its own or another's. */
  resized?(state: S, drive: string, effects: Effects): void;
  /** This net client takes packets shorter than a wire's: a backend does not fill them up. */
  readonly takesShort?: boolean;
  /** This net client takes packets with something left to be done to them, as their headers say. */
  readonly takesHeaders?: boolean;
  /** Whether this net client takes packets as its state is now. Without: always. QEMU's can_receive. */
  canReceive?(state: S, queue: number): boolean;
  /**
   * A packet has come, which commits where it is taken or dropped. False, uncommitted: it waits in the client's queue
   * until `takePackets`. QEMU's receive of a net client, which gives 0 then.
   */
  receivePacket?(state: S, packet: Packet, effects: Effects): boolean;
  /** A packet has been taken for which `sendPacket` gave false. */
  packetSent?(state: S, effects: Effects, queue: number): void;
  /** Six bytes of the address this NIC was made with. */
  readonly mac?: readonly number[];
  /** Everybody is told where this NIC is: its driver may be asked to say more. QEMU's announce. */
  announce?(state: S, effects: Effects): void;
  /** A packet has come through the interface behind this net client: Linux' ndo_start_xmit of a tap. */
  transmit?(state: S, packet: Packet, effects: Effects): void;
  /** There is something to be read: QEMU's handler of a file descriptor. Returns how many packets there were. */
  readable?(state: S, effects: Effects, queue: number): number;
  /** Whoever is at the other end of the wire says what packets may leave to it: TUN_F_*, and how long its header is. */
  offloadsSet?(state: S, flags: number, headerBytes: number, effects: Effects): void;
  /** Whoever is at the other end of the wire uses one of its queues, or does not: tap_enable, tap_disable. */
  queueSet?(state: S, queue: number, on: boolean, effects: Effects): void;
  /** Somebody pulled the cable, or plugged it. It begins plugged. QEMU's link_status_changed. */
  linkSet?(state: S, up: boolean, effects: Effects): void;
  /** System reset with consequences, which commits (not power-on: that is a fresh state). */
  reset?(state: S, effects: Effects): void;
  /** For a stopped person: labels and values. */
  describe(state: S): Readonly<Record<string, string>>;
}

/** A register access: which register, and how wide. */
export interface RegisterRead {
  readonly region: number;
  readonly offset: number;
  readonly size: number;
}

export interface RegisterWrite extends RegisterRead {
  readonly value: number;
}

/** Facts of a device's own kinds, and what they do to its state. */
export type FactReducers<S> = { readonly [K in EventKind]?: FactReducer<S, K>['reduce'] };

/** Written as a method, so that a reducer of some state is one of whatever state to those who keep both together. */
interface FactReducer<S, K extends EventKind> {
  reduce(state: Draft<S>, event: EventOf<K>, stamped: Stamped): void;
}

/** How a device's state follows from facts. It asks no clock: times come with the facts. */
export interface DeviceReducer<S> {
  /** memory_region_ops_write. */
  written?(state: Draft<S>, access: RegisterWrite, stamped: Stamped): void;
  /** sim:register_taken. */
  taken?(state: Draft<S>, access: RegisterRead): void;
  /** sim:irq_line of a pin wired to one of its inputs. */
  driven?(state: Draft<S>, input: string, high: boolean): void;
  /** sim:device_notified of one of its eventfds. */
  notified?(state: Draft<S>, id: number): void;
  /** sim:packet_delivered: it has taken these bytes, a byte a character. */
  packetTaken?(state: Draft<S>, bytes: string): void;
  /** sim:timer_fire of one of its timers. */
  fired?(state: Draft<S>, timer: string): void;
  /** sim:device_reset. */
  reset?(state: Draft<S>): void;
  readonly facts?: FactReducers<S>;
}
