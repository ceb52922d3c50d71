/** All state of QEMU's half: plain values, complete. What follows from it is rebuilt. */
import type { DebugExitState } from '../devices/debug-exit/index.ts';
import type { DebugPortsState } from '../devices/debug-ports/index.ts';
import type { DebugconState } from '../devices/debugcon/index.ts';
import type { HpetState } from '../devices/hpet/index.ts';
import type { I440fxState } from '../devices/i440fx/index.ts';
import type { I8042State } from '../devices/i8042/index.ts';
import type { DmaState } from '../devices/i8237/index.ts';
import type { KvmvapicState } from '../devices/kvmvapic/index.ts';
import type { RtcState } from '../devices/mc146818/index.ts';
import type { PcTestdevState } from '../devices/pc-testdev/index.ts';
import type { PciTestdevState } from '../devices/pci-testdev/index.ts';
import type { Piix3State } from '../devices/piix3/index.ts';
import type { Piix3IdeState } from '../devices/piix3-ide/index.ts';
import type { Piix4PmState } from '../devices/piix4-pm/index.ts';
import type { Port92State } from '../devices/port92/index.ts';
import type { UartState } from '../devices/uart16550/index.ts';
import type { Source } from '../events/stamped.ts';
import type { Timers } from '../events/timers.ts';
import type { CpuHotplugState, PciHotplugState } from './acpi/hotplug.ts';
import type { DirectBootState } from './direct/reset-code.ts';
import type { FwCfgState } from './fw-cfg/device.ts';

/** A KVM memory slot in use, as set by KVM_SET_USER_MEMORY_REGION. */
export interface MemorySlot {
  readonly slot: number;
  readonly flags: number;
  readonly gpa: number;
  readonly size: number;
  readonly hva: number;
}

/** One of a device's eventfds, who polls it, and the writes KVM signals to it now. */
export interface BoundEventfd {
  /** The part, and the device's own number of it. */
  readonly dev: string;
  readonly id: number;
  readonly thread: Source;
  readonly place: EventfdPlace | undefined;
}

/** Writes an eventfd stands for. `match` undefined: any value. */
export interface EventfdPlace {
  readonly addr: number;
  readonly size: number;
  readonly pio: boolean;
  readonly match: number | undefined;
}

/** State of a device that `-device` added. */
export type OptionState = DebugExitState | DebugconState | PcTestdevState | PciTestdevState;

/** State of each device by the name of its part. */
export interface DevicesState {
  readonly i440fx: I440fxState;
  readonly piix3: Piix3State;
  readonly 'piix3-ide': Piix3IdeState;
  readonly 'piix4-pm': Piix4PmState;
  readonly rtc: RtcState;
  readonly hpet: HpetState;
  readonly i8042: I8042State;
  readonly port92: Port92State;
  readonly i8237: DmaState;
  readonly 'debug-ports': DebugPortsState;
  readonly kvmvapic: KvmvapicState;
  readonly 'cpu-hotplug': CpuHotplugState;
  readonly 'pci-hotplug': PciHotplugState;
  readonly serial0?: UartState;
  readonly serial1?: UartState;
  readonly serial2?: UartState;
  readonly serial3?: UartState;
  readonly fw_cfg: FwCfgState;
  readonly 'direct-boot'?: DirectBootState;
  readonly [option: `${string}#${number}`]: OptionState;
}

export interface VmmState {
  readonly devices: DevicesState;
  /** KVM memory slots in use. */
  readonly slots: readonly MemorySlot[];
  /** Levels of output pins that moved, as `part.pin`. */
  readonly pins: Readonly<Record<string, boolean>>;
  /** Eventfds of devices by their descriptors. */
  readonly eventfds: Readonly<Record<number, BoundEventfd>>;
  /** The devices' timers, as `part.timer`. */
  readonly timers: Timers;
  /** Who asked for a reset that has not happened yet. */
  readonly resetBy: string | undefined;
}
