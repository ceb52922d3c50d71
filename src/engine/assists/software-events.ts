import { INTERRUPTION } from '../../x86/controls.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import { GuestExit, VECTOR, vmExit } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { GuestEvent } from '../core/event.ts';
import type { Core } from '../core/core.ts';
import { deliver } from './deliver.ts';
import { type Assist, type Outcome, push, setStack, stackOperandSize } from './operand.ts';
import { GPR, RFLAGS, SEG } from '../../x86/registers.ts';

/** INT n, INT3, INTO, INT1: the event goes through the IDT as software's. */
function softwareEvent(p: Core, event: GuestEvent, hits = 0): Outcome {
  const exit = interceptSoftware(p, event, hits);
  if (exit !== undefined) throw exit;
  deliver(p, event);
  p.modeChanged();
  p.trapByFlagNow();
  return 'jump';
}

function interceptSoftware(p: Core, event: GuestEvent, hits: number): GuestExit | undefined {
  const isException = event.type !== 'soft-interrupt';
  if (!isException || ((p.controls.exceptionBitmap >>> event.vector) & 1) === 0) return undefined;
  const type = event.type === 'soft-exception' ? INTERRUPTION.SOFTWARE_EXCEPTION : INTERRUPTION.PRIVILEGED_EXCEPTION;
  const interruptionInfo = (INTERRUPTION.VALID | type | event.vector) >>> 0;
  const qualification = BigInt(hits);
  const [reason, instructionLength] = [EXIT.EXCEPTION_NMI, event.length];
  return new GuestExit(vmExit({ reason, qualification, interruptionInfo, instructionLength }));
}

const interrupt: Assist = (p, d) => {
  const operand = d.operands[0];
  const vector = operand?.kind === 'immediate' ? Number(operand.value & 0xffn) : 3;
  return softwareEvent(p, { type: 'soft-interrupt', vector, length: d.length });
};

const overflow: Assist = (p, d) => {
  if ((p.state.rflags & RFLAGS.OF) === 0) return 'next';
  return softwareEvent(p, { type: 'soft-exception', vector: VECTOR.OF, length: d.length });
};

const breakpoint: Assist = (p, d) => softwareEvent(p, { type: 'soft-exception', vector: VECTOR.BP, length: d.length });

const icebp: Assist = (p, d) =>
  softwareEvent(p, { type: 'privileged-exception', vector: VECTOR.DB, length: d.length }, p.debug.takeHits());

/** ENTER with nesting. SDM Vol. 2A. */
const enterFrame: Assist = (p, d) => {
  const { state } = p;
  const size = stackOperandSize(p, d);
  const [space, nesting] = d.operands.map((o) => (o.kind === 'immediate' ? Number(o.value) : 0));
  const level = (nesting ?? 0) & 31;
  const saved = state.gpr(GPR.RSP);
  try {
    push(p, state.gpr(GPR.RBP) & ((1n << BigInt(8 * size)) - 1n), size);
    const frame = state.gpr(GPR.RSP);
    let base = state.gpr(GPR.RBP);
    for (let i = 1; i < level; i++) {
      base -= BigInt(size);
      push(p, p.readValue(p.linear(SEG.SS, base & p.memory.read64(L.STACK_MASK), size, false), size), size);
    }
    if (level > 0) push(p, frame, size);
    // The final stack pointer must be writable, or ENTER faults as a whole.
    const final = (state.gpr(GPR.RSP) - BigInt(space ?? 0)) & p.memory.read64(L.STACK_MASK);
    p.probeWrite(p.linear(SEG.SS, final, size, true), size);
    setStack(p, final);
    const mask = (1n << BigInt(8 * size)) - 1n;
    state.setGpr(GPR.RBP, size === 2 ? (state.gpr(GPR.RBP) & ~mask) | (frame & mask) : frame & mask);
  } catch (thrown) {
    state.setGpr(GPR.RSP, saved);
    throw thrown;
  }
  return 'next';
};

/** INT n and its relatives, and ENTER. */
export const SOFTWARE_EVENT_ASSISTS: Readonly<Record<string, Assist>> = {
  int: interrupt,
  int3: breakpoint,
  int1: icebp,
  into: overflow,
  enter: enterFrame,
};
