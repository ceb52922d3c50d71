import type { Source } from '../events/stamped.ts';
import type { MachineEvent } from '../events/vocabulary.ts';
import type { ExecutionControls } from '../kvm/guest.ts';
import type { Pages } from '../memory/pages.ts';
import type { Engine, KvmPart, MachineParts, VmmPart } from './parts.ts';
import type { MachineState } from '../reducers/state.ts';

/** Derived or handed in: everything around the state that the loop works with. */
export interface MachineContext {
  readonly parts: MachineParts;
  state: MachineState;
  engine: Engine;
  kvm: KvmPart;
  vmm: VmmPart;
  pages: Pages;
  /** Who raises events now, and the event that led to them (-1: none). */
  source: Source;
  cause: number;
  /** Tick at which a run is cut without the guest noticing. */
  cutAt: number;
  /** Tick at which the budget of the entry under way ends. Completing what user space was asked takes of it. */
  endAt: number;
  /** The controls each vCPU's processor obeys now; each value is never changed. */
  controls: ExecutionControls[];
  /** A debugger stopped the last run. */
  hasBroken: boolean;
  raise(event: MachineEvent): void;
}

/** The parts own their states; the machine's state refers to the same objects. */
export function adoptStates(context: MachineContext): void {
  context.state.kvm = context.kvm.state;
  context.state.vmm = context.vmm.state;
}

/** The next 64 bits of a named stream. */
export function draw64(context: MachineContext, name: string): bigint {
  const high = BigInt(drawInt32(context, name) >>> 0);
  return (high << 32n) | BigInt(drawInt32(context, name) >>> 0);
}

/** The next 32 bits of a named stream; a stream starts at its first use. */
export function drawInt32({ parts, state }: MachineContext, name: string): number {
  state.random[name] ??= parts.chance.start(parts.seed, name);
  return parts.chance.int32(state.random[name]);
}
