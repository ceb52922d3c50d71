import { fact, input } from './schema.ts';

/** Events with no upstream equivalent. */
export const SIM_EVENTS = {
  'sim:powered_on': input({ seed: 'text', wall_clock: 'u64' }, (e) => `seed=${e.seed} wall_clock=${e.wall_clock}`),
  'sim:serial_received': input({ line: 'u', bytes: 'bytes' }, (e) => `line ${e.line} ${e.bytes.length} bytes`),
  'sim:irq_line': fact({ dev: 'text', pin: 'text', level: 'u' }, (e) => `dev ${e.dev} pin ${e.pin} level ${e.level}`),
} as const;
