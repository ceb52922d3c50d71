import type { Ns } from '../base/units.ts';
import type { DiskOperation, DriveInfo } from '../devices/device.ts';
import { MOST_PAIRS, type PropertyValue } from '../devices/properties.ts';
import type { Wires } from '../devices/wire.ts';
import type { Costs } from '../events/costs.ts';
import type { DeviceModel } from './models.ts';
import type { DeviceOption } from './options.ts';

/** Where a PCI function sits on bus 0, and what it was made from. */
export interface PciSeat {
  readonly slot: number;
  readonly function: number;
  /** A plain value: whoever has the configuration can make the function again. */
  readonly setup: object;
}

/** One device of a machine: where it sits and what its pins lead to. */
export interface PartConfig {
  readonly name: string;
  readonly model: DeviceModel;
  /** By region: where it lies, if neither a BAR nor the device itself places it. */
  readonly bases: readonly (number | undefined)[];
  /** For PCI functions. */
  readonly pci?: PciSeat;
  /** Pins not named lead nowhere. */
  readonly wires: Wires;
}

/** A drive as a machine was made with it. */
export interface DriveConfig extends DriveInfo {
  readonly id: string;
  /** A flush is done, and makes nothing durable: `cache=unsafe`. */
  readonly noFlush?: boolean;
  /** A request takes longer by up to so many virtual nanoseconds, each by another number of chance. Absent: 0. */
  readonly jitter?: Ns | undefined;
  /** Requests that are to fail: the first that fits one decides. */
  readonly faults?: readonly DriveFault[] | undefined;
}

/** Requests of a drive that fail. What is absent makes no difference. */
export interface DriveFault {
  readonly errno: number;
  readonly op?: DiskOperation | undefined;
  /** Those that touch one of these sectors. */
  readonly sectors?: { readonly first: number; readonly count: number } | undefined;
  /** Those that complete at this virtual nanosecond or later. */
  readonly at?: Ns | undefined;
  /** The first of them alone. */
  readonly once: boolean;
}

/** `-netdev`, or what stands for one. */
export interface NetdevConfig {
  /** A backend of `net/catalog.ts`, or a port of a hub. */
  readonly type: string;
  readonly id: string;
  /** Of a hub's port: which hub, and the backend it leads to, if not to a NIC. */
  readonly hub?: number | undefined;
  readonly netdev?: string | undefined;
  /** Of a backend: what its driver takes. */
  readonly properties: Readonly<Record<string, PropertyValue>>;
  /** Of user networking: files it serves by TFTP, by their names, and who else is there. Plain values. */
  readonly served?: Readonly<Record<string, object>> | undefined;
  readonly world?: object | undefined;
}

/** What a port of a hub is called as a type. */
export const HUBPORT = 'hubport';

/** What a tap that is open already is called as a type: QEMU has no name of its own for one. */
export const TAP_FD = 'tap-fd';
/** What an interface that leads to another machine of the run is called as a type. */
export const INTERFACE = 'interface';
/** What a port of a bridge is called as a type. */
export const PORT = 'port';

/** Types of backends that are taps: of `-netdev bridge` a helper has made it a port. */
const TAPS: readonly string[] = ['tap', 'bridge'];

/**
 * A client of another queue than the first, whose name QEMU has for all of them: no id has a colon. Of a card without
 * an id the next number is its name.
 */
export const queueName = (name: string, queue: number): string => (queue === 0 ? name : `${name}:${queue}`);

/** What QEMU calls it. */
export const saidName = ({ name, of }: Pick<NetClientConfig, 'name' | 'of'>): string =>
  of !== undefined && name.startsWith(`${of}:`) ? of : name;

/** Whether a net client, or what it is made from, is a tap. */
export const isTap = ({ type }: { readonly type: string }): boolean => TAPS.includes(type);

/** Pairs of queues of a backend: as many net clients it is, and the card at the other end of its wire. */
export const queuesOf = (netdev: NetdevConfig): number =>
  isTap(netdev) ? Math.min(Math.max(1, Number(netdev.properties['queues'] ?? 1)), MOST_PAIRS) : 1;

/** A bridge of the modelled Linux. */
export interface BridgeConfig {
  /** Of its interface. */
  readonly name: string;
  /** Backends and other bridges, by their names, that `--bridge` made ports of it, in order. */
  readonly ports: readonly string[];
  /** Whether it speaks the spanning tree protocol. */
  readonly stp: boolean;
  /** How long it remembers an address it hears nothing of: virtual nanoseconds. */
  readonly ageing: Ns;
  /** Bytes of a frame's payload, of it and of its ports. */
  readonly mtu: number;
  /** Of its identifier. */
  readonly priority: number;
  /** Which of a run's it is: of its own addresses. Absent: which of the machine's. */
  readonly number?: number | undefined;
  /** Its own address of IPv4, like 10.9.0.1/24; absent: it has none. */
  readonly address?: string | undefined;
}

/** One end of a wire, as `info network` names it. */
export interface NetClientConfig {
  readonly name: string;
  /** 'nic', 'hubport', 'port' of a bridge, or a backend's type. */
  readonly type: string;
  /** Who answers at it. A port of a hub has none. */
  readonly part?: string;
  readonly hub?: number;
  /** Of a tap: its interface. Of a port: what `bridge` of iproute2 would call it. */
  readonly ifname?: string;
  /** Of a tap with `vhost=on`: which of the kernel's workers serves it. */
  readonly vhost?: number;
  /** Of a backend with several queues, and of its card: which, and the client of the first. Absent: it is that. */
  readonly queue?: number;
  readonly of?: string;
  /** Of a port: whose. */
  readonly bridge?: string;
  /** The other end of its wire. That of a bridge's port to a tap is the tap, whose own is its card. */
  readonly peer?: string;
}

/** What a machine was made as: nothing that happens changes it. */
export interface MachineConfig {
  /** MiB. */
  readonly memory: number;
  readonly smp: number;
  readonly serialLines: number;
  readonly devices: readonly DeviceOption[];
  /** Absent: it has none. */
  readonly drives?: readonly DriveConfig[];
  /** Ids of its I/O threads. */
  readonly iothreads?: readonly string[];
  /** Absent: it has none. */
  readonly netdevs?: readonly NetdevConfig[];
  /** Those `--bridge` asked for. Absent: none. Taps may bring others. */
  readonly bridges?: readonly BridgeConfig[];
  /** Firmware runs first; without it the kernel is loaded directly. */
  readonly firmware: boolean;
  /** `-boot order=`, where it is not the usual one. */
  readonly bootOrder?: string;
  /** `-rtc base=localtime`: seconds its clock is ahead of UTC. */
  readonly rtcAhead?: number;
  /** A reset ends the run. */
  readonly noReboot: boolean;
  readonly nsPerTick: number;
  readonly costs: Costs;
  /** Ticks between digests of memory; 0: none. */
  readonly digestEvery: number;
  readonly parts: readonly PartConfig[];
  /** Absent: there is nobody on any wire. */
  readonly net?: readonly NetClientConfig[];
}
