import { FLAG_ASSISTS } from './flags.ts';
import { FPU_ASSISTS } from './fpu.ts';
import { IO_ASSISTS } from './io.ts';
import { LEGACY_ASSISTS } from './legacy.ts';
import type { Assist } from './operand.ts';
import { SEGMENT_ASSISTS } from './segments.ts';
import { SYSTEM_ASSISTS } from './system.ts';
import { TRANSFER_ASSISTS } from './transfer.ts';
import { VECTOR_ASSISTS } from './vector.ts';

/** Instructions that TypeScript routines perform, by iced mnemonic or the selector's name. Others are #UD. */
export const ASSISTS: ReadonlyMap<string, Assist> = new Map(
  Object.entries({
    ...FLAG_ASSISTS,
    ...TRANSFER_ASSISTS,
    ...SEGMENT_ASSISTS,
    ...SYSTEM_ASSISTS,
    ...IO_ASSISTS,
    ...LEGACY_ASSISTS,
    ...FPU_ASSISTS,
    ...VECTOR_ASSISTS,
  }),
);
