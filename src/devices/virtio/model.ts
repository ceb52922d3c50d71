import type { DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';
import type { PciFunction } from '../pci/index.ts';
import type { VirtioIdentity, VirtioLayout, VirtioSetup } from './layout.ts';
import type { VirtioPart } from './queues.ts';
import type { VirtioFunctionState, Words } from './state.ts';

type FunctionHooks =
  | 'timers'
  | 'expire'
  | 'receive'
  | 'completed'
  | 'resized'
  | 'takesShort'
  | 'canReceive'
  | 'receivePacket'
  | 'packetSent'
  | 'linkSet'
  | 'mac'
  | 'announce';

/** A write to a device's own configuration, by its place there. */
export interface ConfigWrite {
  readonly offset: number;
  readonly size: number;
  readonly value: number;
}

/** What a device does beside what all virtio devices do. */
export interface VirtioBody<S extends VirtioFunctionState> extends Partial<Pick<PciFunction<S>, FunctionHooks>> {
  /** The model's own features: low and high word. */
  features(part: VirtioPart<S>): Words;
  /** Features of ring and transport it does not offer. */
  withholds?(part: VirtioPart<S>): Words;
  /** Queues that the kernel serves by itself, whose notifications go there: the others' are no signals then. */
  offloaded?(state: S): readonly number[] | undefined;
  /** Of its own features those that the legacy interface alone shows: bits of the low word. */
  readonly legacyFeatures?: number;
  /** What a driver of the legacy interface accepts that accepts everything: bits of the low word. */
  readonly badFeatures?: number;
  /** Its configuration as it is now. */
  config(part: VirtioPart<S>): Uint8Array;
  /** A driver is about to read it. */
  configRead?(part: VirtioPart<S>): void;
  /** A driver wrote to it, and the write is on record. */
  configWritten?(part: VirtioPart<S>, write: ConfigWrite): void;
  /** A driver notified it of a queue. Returns how many elements there were. */
  serve(part: VirtioPart<S>, queue: number): number;
  /** A driver has said which features it takes; none, after a reset and at power-on. */
  featuresSet?(part: VirtioPart<S>): void;
  /** A driver is about to set this status. */
  statusSet?(part: VirtioPart<S>, status: number): void;
  /** A driver is about to reset a queue. */
  queueReset?(part: VirtioPart<S>, queue: number): void;
  /** A driver says that it is at work. */
  started?(part: VirtioPart<S>): void;
  /** Before a reset: what is under way comes to its end. */
  drain?(part: VirtioPart<S>): void;
  describe(state: S): Readonly<Record<string, string>>;
}

/**
 * What a virtio device model says of itself. Registers of both interfaces, rings, interrupts and the properties every
 * such device has come by themselves.
 */
export interface VirtioModel<Own extends object, P extends VirtioSetup>
  extends Pick<Driver<Own, P>, 'name' | 'description' | 'category' | 'properties' | 'romfile' | 'settle' | 'atReset'> {
  readonly identity: VirtioIdentity;
  /** Bytes of its configuration as the legacy interface shows it. */
  configBytes(setup: P): number;
  /** How many descriptors each of its queues has, with these features; with all of them there are most queues. */
  queueSizes(setup: P, features: Words): readonly number[];
  create(setup: P, layout: VirtioLayout): VirtioBody<VirtioFunctionState & Own>;
  /** What facts do to the model's own state. A reset by the driver is `sim:virtio_reset`. */
  readonly reducer: DeviceReducer<VirtioFunctionState & Own>;
}
