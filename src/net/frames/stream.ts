/** `-netdev stream`: frames by a connection. QEMU 7.2: net/stream.c. */
import { Problem } from '../../base/problem.ts';
import { bool, type PropertiesOf, text } from '../../devices/properties.ts';
import { addressOf, type Outside } from './outside.ts';

export interface StreamSetup {
  /** Somebody comes, instead of somebody being there. */
  readonly server: boolean;
  readonly 'addr.type': string;
  readonly 'addr.host': string;
  readonly 'addr.port': string;
  readonly 'addr.path': string;
  readonly 'addr.str': string;
}

export const STREAM_PROPERTIES: PropertiesOf<StreamSetup> = {
  server: bool(false, 'Wait for somebody who connects'),
  'addr.type': text('', 'Where: inet, unix or fd'),
  'addr.host': text('', 'Of inet: a name or an address'),
  'addr.port': text('', 'Of inet: the port'),
  'addr.path': text('', 'Of unix: the path of the socket'),
  'addr.str': text('', 'Of fd: the number of an open descriptor'),
};

const SAID = '-netdev stream';

export function streamOutside(setup: StreamSetup): Outside {
  const at = addressOf(SAID, 'addr', { ...setup });
  if (at !== undefined) return { by: setup.server ? 'listen' : 'connect', at };
  throw new Problem(`${SAID}: say where, like addr.type=inet,addr.host=127.0.0.1,addr.port=4000.`);
}
