import type { MeaningBuilder } from '../emit/builder.ts';
import type { RecordReader } from '../emit/record.ts';
import * as L from '../state/layout.ts';
import { FN } from '../emit/shared.ts';

/** What the decoder puts beside the guest's instructions to hold records together. */
export interface PseudoInstruction {
  readonly name: string;
  readonly emit: (m: MeaningBuilder<RecordReader>) => void;
}

/** Assist number of the check for a debugger's breakpoint. */
export const ASSIST_CHECK = 4;
/** Assist number that means: the routine is named by the record's site. */
export const ASSIST_BY_SITE = 2;
/** Fixed number of the assist that enters an instruction lying on two pages. */
export const ASSIST_CROSSING = 1;

/** They retire nothing, but for `assist`, which is a guest's instruction that has no meaning. */
export const PSEUDO: readonly PseudoInstruction[] = [
  {
    // The end of a page, and what stands where code was overwritten: look rip up again.
    name: 'resume',
    emit: (m) => {
      m.refundTick();
      m.result(m.call(FN.lookup, [m.instruction.ownRip()], 'i32'));
    },
  },
  {
    name: 'goto',
    emit: (m) => {
      m.refundTick();
      m.result(m.instruction.field(L.R_TARGET, 4));
    },
  },
  {
    name: 'assist',
    emit: (m) => m.result(m.instruction.routine(m.instruction.field(L.R_TARGET, 4))),
  },
  {
    // Stands before an instruction that may have a debugger's breakpoint.
    name: 'check',
    emit: (m) => {
      m.refundTick();
      m.result(m.instruction.routine(m.i32(ASSIST_CHECK)));
    },
  },
  {
    // Like `assist`, but a pseudo-instruction.
    name: 'crossing',
    emit: (m) => {
      m.refundTick();
      m.result(m.instruction.routine(m.i32(ASSIST_CROSSING)));
    },
  },
];
