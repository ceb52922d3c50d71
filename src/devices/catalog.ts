import { debugExit } from './debug-exit/index.ts';
import { debugcon } from './debugcon/index.ts';
import { i440fx } from './i440fx/index.ts';
import { mc146818 } from './mc146818/index.ts';
import { piix3 } from './piix3/index.ts';
import { piix4Pm } from './piix4-pm/index.ts';
import { uart16550 } from './uart16550/index.ts';

/** Every device model there is. To add one, add its folder and its line here. */
export const CATALOG = {
  'uart16550': uart16550,
  'mc146818': mc146818,
  'debugcon': debugcon,
  'debug-exit': debugExit,
  'i440fx': i440fx,
  'piix3': piix3,
  'piix4-pm': piix4Pm,
} as const;

/** A model's name in the catalog. */
export type ModelName = keyof typeof CATALOG;
