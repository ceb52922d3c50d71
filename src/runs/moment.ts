import { Problem } from '../base/problem.ts';
import type { Gpa } from '../base/units.ts';
import { hex } from '../events/schema.ts';
import type { Stamped } from '../events/stamped.ts';
import { GPR_NAMES } from '../x86/guest.ts';
import type { Machine } from '../machine/machine.ts';
import type { MachineState } from '../reducers/state.ts';
import type { Timeline } from '../replay/timeline.ts';
import { readPhysical } from '../machine/guest-view.ts';

/** A place in a run: just after the event of this number, at this tick. Every stamped event is one. */
export type EventMark = Pick<Stamped, 'seq' | 'tick'>;

/** A processor's registers. */
export interface ProcessorRegisters {
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly cr0: bigint;
  readonly cr2: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  /** By name: rax, rbx, ... r15. */
  readonly general: Readonly<Record<string, bigint>>;
}

/**
 * A machine just after an event. Registers and memory are found by running to it, when they are asked for; while the
 * machine is being built they are those it starts with.
 */
export interface Moment {
  readonly mark: EventMark;
  readonly state: MachineState;
  /** Throws a Problem when there is no such processor, or the run cannot be run again here: an image is missing. */
  registers(vcpu?: number): ProcessorRegisters;
  /** Guest-physical memory. Throws a Problem where there is none, or when the run cannot be run again here. */
  memory(gpa: Gpa, length: number): Uint8Array;
}

/** `timeline`: the run, to be stood in. It may have been moved since. */
export function momentAt(mark: EventMark, state: MachineState, timeline: () => Timeline): Moment {
  const { seq, tick } = mark;
  return {
    mark: { seq, tick },
    state,
    registers(vcpu = 0) {
      if (state.kvm.vcpus[vcpu] === undefined) throw new Problem(`There is no vCPU ${vcpu} at event ${seq}.`);
      return lookAt(timeline(), mark, (machine) => registersOf(machine, vcpu));
    },
    memory(gpa, length) {
      const bytes = lookAt(timeline(), mark, (machine) => readPhysical({ machine }, gpa, length));
      if (bytes.length === length) return bytes;
      throw new Problem(`There is no guest memory at 0x${hex(gpa + bytes.length)} at event ${seq}.`);
    },
  };
}

function registersOf({ engine }: Machine, vcpu: number): ProcessorRegisters {
  const of = engine.registers(vcpu);
  const general = Object.fromEntries(GPR_NAMES.map((name, index) => [name, of.gpr(index)]));
  const { rip, rflags, cr0, cr2, cr3, cr4, efer } = of;
  return { rip, rflags, cr0, cr2, cr3, cr4, efer, general };
}

/**
 * Look at the machine just after an event. A machine rests between steps, of several events each: it is looked at from
 * within the step, unless the event is the guest's own in the middle of a run, or tells of the machine being built.
 */
export function lookAt<T>(timeline: Timeline, { seq, tick }: EventMark, look: (machine: Machine) => T): T {
  const { machine } = timeline;
  let seen: { readonly value: T } | undefined;
  timeline.seek(Math.max(0, tick - 1));
  timeline.watching(
    (stamped) => {
      if (stamped.seq === seq && stamped.tick === machine.ticks) seen = { value: look(machine) };
    },
    () => timeline.seek({ seq: seq + 1, tick }),
  );
  return seen === undefined ? look(machine) : seen.value;
}
