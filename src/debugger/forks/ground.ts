import type { Gva, Seq, Tick } from '../../base/units.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { PendingInput } from '../../machine/parts.ts';
import { peekLinear } from '../../machine/device-peek.ts';
import type { Timeline } from '../../replay/timeline.ts';
import { type GuestView, readLinear } from '../../machine/guest-view.ts';
import type { Travels } from '../travel/traveller.ts';

/** A run gdb stands in: the recorded one, one that was changed, or one that is under way. */
export interface Ground {
  readonly view: GuestView;
  readonly timeline: Timeline;
  readonly traveller: Travels;
  /** Where it can be stood in first. */
  readonly firstTick: Tick;
  /** How far it has come. */
  readonly lastTick: Tick;
  /** Number of the event after its last. */
  readonly endSeq: Seq;
  /** An event by its number; undefined when there is none, or when it is not held any more. */
  event(seq: Seq): Stamped | undefined;
  /** Inputs still to come from an event on, with their virtual time. */
  inputsFrom(seq: Seq): readonly PendingInput[];
}

/** Longest instruction. SDM Vol. 2, 2.3.11. */
export const LONGEST_INSTRUCTION = 15;

/** What is asked of wherever one stands. */
export function looksAt(here: () => Ground) {
  return {
    registers: (vcpu: number) => here().view.machine.engine.registers(vcpu),
    activity: (vcpu: number) => here().view.machine.state.kvm.vcpus[vcpu]?.mpState ?? 0,
    moment() {
      const { machine } = here().timeline;
      return { seq: machine.seq, tick: machine.ticks, ns: machine.now() };
    },
    readMemory(vcpu: number, address: Gva, length: number) {
      const { view } = here();
      const bytes = readLinear(view, vcpu, address, length);
      return bytes.length > 0 || length === 0 ? bytes : peekLinear(view, vcpu, address, length)?.bytes;
    },
    view: () => here().view,
    event: (seq: Seq) => here().event(seq),
    endSeq: () => here().endSeq,
    lastTick: () => here().lastTick,
  };
}
