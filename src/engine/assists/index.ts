import { CONTROL_REGISTER_ASSISTS } from './control-registers.ts';
import { FAR_ASSISTS } from './far.ts';
import { FAST_CALL_ASSISTS } from './fast-calls.ts';
import { FLAG_ASSISTS } from './flags.ts';
import { FPU_ASSISTS } from './fpu.ts';
import { INTERRUPT_RETURN_ASSISTS } from './interrupt-return.ts';
import { IO_ASSISTS } from './io.ts';
import { LEGACY_ASSISTS } from './legacy.ts';
import type { Assist } from './operand.ts';
import { SEGMENT_ASSISTS } from './segments.ts';
import { SOFTWARE_EVENT_ASSISTS } from './software-events.ts';
import { SYSTEM_ASSISTS } from './system.ts';
import { VECTOR_ASSISTS } from './vector.ts';

/** Instructions that TypeScript routines perform, by iced mnemonic or the selector's name. Others are #UD. */
export const ASSISTS: ReadonlyMap<string, Assist> = new Map(
  Object.entries({
    ...FLAG_ASSISTS,
    ...FAR_ASSISTS,
    ...INTERRUPT_RETURN_ASSISTS,
    ...FAST_CALL_ASSISTS,
    ...SOFTWARE_EVENT_ASSISTS,
    ...SEGMENT_ASSISTS,
    ...CONTROL_REGISTER_ASSISTS,
    ...SYSTEM_ASSISTS,
    ...IO_ASSISTS,
    ...LEGACY_ASSISTS,
    ...FPU_ASSISTS,
    ...VECTOR_ASSISTS,
  }),
);
