import { debugExit } from './debug-exit/index.ts';
import { debugPorts } from './debug-ports/index.ts';
import { debugcon } from './debugcon/index.ts';
import { hpet } from './hpet/index.ts';
import { i440fx } from './i440fx/index.ts';
import { i8042 } from './i8042/index.ts';
import { i8237 } from './i8237/index.ts';
import { kvmvapic } from './kvmvapic/index.ts';
import { mc146818 } from './mc146818/index.ts';
import { pcTestdev } from './pc-testdev/index.ts';
import { pciTestdev } from './pci-testdev/index.ts';
import { piix3 } from './piix3/index.ts';
import { piix3Ide } from './piix3-ide/index.ts';
import { piix4Pm } from './piix4-pm/index.ts';
import { port92 } from './port92/index.ts';
import { uart16550 } from './uart16550/index.ts';

/** Every device model there is. To add one, add its folder and its line here. */
export const CATALOG = {
  uart16550,
  mc146818,
  i8042,
  i8237,
  hpet,
  port92,
  i440fx,
  piix3,
  piix3Ide,
  piix4Pm,
  debugcon,
  debugExit,
  debugPorts,
  kvmvapic,
  pcTestdev,
  pciTestdev,
} as const;

/** A model's name in the catalog. */
export type ModelName = keyof typeof CATALOG;
