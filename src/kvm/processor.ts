/** The processor as KVM, and whoever else acts on it, is given it: what it answers is told as facts. */
import type { Origin } from '../events/origin.ts';
import type { Guest } from '../x86/guest.ts';

/** Where a guest stands between two runs. */
export interface Position {
  readonly rip: bigint;
  readonly rflags: number;
  /** VMCS guest interruptibility state. */
  readonly interruptibility: number;
  /** Task priority as the TPR shadow holds it. */
  readonly cr8: number;
}

/** The processor as KVM sees it: what it answers is told as facts of one origin. */
export interface TracedGuest extends Guest {
  /** Where a vCPU stands. It is out of the guest. */
  position(vcpu: number): Position;
  /** Facts changed what `setControls` told. */
  controlsChanged(vcpu: number): void;
  /** Whether `setControls` is due before the next run. */
  needsControls(vcpu: number): boolean;
}

/** The processor, for everybody who acts on it. */
export interface Processor {
  from(origin: Origin): TracedGuest;
}
