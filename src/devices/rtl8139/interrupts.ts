import type { Effects } from '../device.ts';
import { R } from './registers.ts';
import { registerOf, type Rtl8139State } from './state.ts';

/** The pin, as causes and their mask have it. */
export const driveInterrupt = (nic: Rtl8139State, effects: Effects): void =>
  effects.pin('intx', (registerOf(nic, R.ISR) & registerOf(nic, R.IMR)) !== 0);
