import type { PciFunctionState } from '../pci/index.ts';
import { NO_VECTOR, STATUS } from './registers.ts';

/** Bytes of guest memory: guest-physical address and length. */
export interface Segment {
  readonly gpa: number;
  readonly length: number;
}

/** A chain of descriptors the device has taken and not given back. */
export interface Element {
  /** Counted over the device's queues, from 0. */
  readonly id: number;
  /** The descriptor it begins with. */
  readonly head: number;
  /** What the device reads. */
  readonly out: readonly Segment[];
  /** What it writes. */
  readonly in: readonly Segment[];
}

/** A 64-bit register as its two words. */
export type Words = readonly [low: number, high: number];

/** As after a reset. */
export const NO_FEATURES: Words = [0, 0];

export interface VirtqueueState {
  /** Descriptors; 0: there is no such queue. */
  readonly size: number;
  readonly vector: number;
  /** Registers of the modern interface: what they say counts from the moment the queue is enabled. */
  readonly enabled: boolean;
  readonly registers: { readonly desc: Words; readonly driver: Words; readonly device: Words };
  /** The ring in use: guest-physical addresses of its three parts. desc 0: none. */
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  /** Both run on modulo 2^16. */
  readonly lastAvail: number;
  readonly usedIdx: number;
  /** Elements put into the used ring that its index does not tell of yet. */
  readonly filled: number;
  /** The used index as it was when the driver was last notified, if that is known. */
  readonly signalledUsed: number;
  readonly isSignalledKnown: boolean;
  /** The driver need not notify of what it adds. */
  readonly isQuiet?: boolean;
  readonly elements: readonly Element[];
}

/** What every virtio device has, over PCI. */
export interface VirtioState {
  readonly status: number;
  /** Features that are on: low and high word. */
  readonly features: Words;
  /** As a driver wrote them. */
  readonly driverFeatures: Words;
  readonly deviceFeatureSelect: number;
  readonly driverFeatureSelect: number;
  readonly queueSelect: number;
  readonly configVector: number;
  readonly isr: number;
  readonly generation: number;
  /** Notifications may be signals: since DRIVER_OK, or since a driver notified without it. */
  readonly isStarted: boolean;
  /** A driver did what none may do. */
  readonly broken: boolean;
  /** How many elements there have been. */
  readonly popped: number;
  readonly queues: readonly VirtqueueState[];
  /** What a driver wrote to registers of queues that are not there, by their numbers: they keep it. */
  readonly otherQueues: Readonly<Record<number, VirtqueueState>>;
}

export type VirtioFunctionState = PciFunctionState & VirtioState;

/** A queue nobody has set up. */
export const queueAtReset = (size: number): VirtqueueState => ({
  size,
  vector: NO_VECTOR,
  enabled: false,
  registers: { desc: [0, 0], driver: [0, 0], device: [0, 0] },
  desc: 0,
  avail: 0,
  used: 0,
  lastAvail: 0,
  usedIdx: 0,
  filled: 0,
  signalledUsed: 0,
  isSignalledKnown: false,
  elements: [],
});

/** What a reset by the driver puts back. */
export const resetValues = (sizes: readonly number[]) => ({
  status: 0,
  features: [0, 0] as Words,
  queueSelect: 0,
  configVector: NO_VECTOR,
  isr: 0,
  isStarted: false,
  broken: false,
  queues: sizes.map(queueAtReset),
  otherQueues: {},
});

/** The queue a driver has selected, if it is there or was written to. */
export const selectedQueue = ({
  queues,
  otherQueues,
  queueSelect,
}: Pick<VirtioState, 'queues' | 'otherQueues' | 'queueSelect'>): VirtqueueState | undefined =>
  queues[queueSelect] ?? otherQueues[queueSelect];

export const virtioAtReset = (sizes: readonly number[]): VirtioState => ({
  ...resetValues(sizes),
  driverFeatures: [0, 0],
  deviceFeatureSelect: 0,
  driverFeatureSelect: 0,
  generation: 0,
  popped: 0,
});

/** Whether a feature is on. */
export const hasFeature = ({ features: [low, high] }: Pick<VirtioState, 'features'>, bit: number): boolean =>
  bit < 32 ? ((low >>> bit) & 1) !== 0 : ((high >>> (bit - 32)) & 1) !== 0;

/** Whether the driver says that it is at work. */
export const isAtWork = ({ status }: Pick<VirtioState, 'status'>): boolean => (status & STATUS.driverOk) !== 0;
