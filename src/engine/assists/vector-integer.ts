import type { SlowRoutine } from './vector.ts';
export const INTEGER_ROUTINES: Readonly<Record<string, SlowRoutine | undefined>> = {};
