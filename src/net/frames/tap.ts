/** `-netdev tap,fd=`: frames by a tap of the host's that is open already. QEMU 7.2: net/tap.c. */
import { Problem } from '../../base/problem.ts';
import { type PropertiesOf, text } from '../../devices/properties.ts';
import { descriptorOf, type Outside } from './outside.ts';

export interface TapSetup {
  readonly fd: string;
}

export const TAP_PROPERTIES: PropertiesOf<TapSetup> = { fd: text('', 'The number of the descriptor of an open tap') };

const SAID = '-netdev tap';

export function tapOutside({ fd }: TapSetup): Outside {
  if (fd === '') throw new Problem(`${SAID}: say which open tap, with fd=N.`);
  return { by: 'tap', fd: descriptorOf(SAID, 'fd', fd) };
}
