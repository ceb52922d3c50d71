/** `-netdev dgram`: frames by datagrams. QEMU 7.2: net/dgram.c. */
import { Problem } from '../../base/problem.ts';
import { type PropertiesOf, text } from '../../devices/properties.ts';
import { addressOf, type InetPlace, isGroup, type Outside, type SocketPlace } from './outside.ts';

export interface DatagramSetup {
  readonly 'local.type': string;
  readonly 'local.host': string;
  readonly 'local.port': string;
  readonly 'local.path': string;
  readonly 'local.str': string;
  readonly 'remote.type': string;
  readonly 'remote.host': string;
  readonly 'remote.port': string;
  readonly 'remote.path': string;
  readonly 'remote.str': string;
}

export const DATAGRAM_PROPERTIES: PropertiesOf<DatagramSetup> = {
  'local.type': text('', 'Where frames come: inet'),
  'local.host': text('', 'Of inet: an address of this host'),
  'local.port': text('', 'Of inet: the port'),
  'local.path': text('', 'Of unix: the path of the socket'),
  'local.str': text('', 'Of fd: the number of an open descriptor'),
  'remote.type': text('', 'Where frames go: inet'),
  'remote.host': text('', 'Of inet: a name, an address, or the address of a group'),
  'remote.port': text('', 'Of inet: the port'),
  'remote.path': text('', 'Of unix: the path of the socket'),
  'remote.str': text('', 'Of fd: the number of an open descriptor'),
};

const SAID = '-netdev dgram';

function inet(key: string, place: SocketPlace): InetPlace {
  if ('host' in place) return place;
  const [type, why] =
    'path' in place ? ['unix', 'Node has no such datagrams'] : ['fd', 'Node sends by no socket that it has not made'];
  throw new Problem(`${SAID}: ${key}.type=${type} cannot be had here, ${why}: use inet, or -netdev stream.`);
}

export function datagramOutside(setup: DatagramSetup): Outside {
  const [local, remote] = [addressOf(SAID, 'local', { ...setup }), addressOf(SAID, 'remote', { ...setup })];
  if (remote !== undefined && 'host' in remote && isGroup(remote)) {
    return { by: 'group', group: remote, own: local === undefined ? undefined : inet('local', local).host };
  }
  if (local === undefined) throw new Problem(`${SAID}: say where frames come, with local.type=inet.`);
  const own = inet('local', local);
  if (remote !== undefined) return { by: 'datagrams', local: own, remote: inet('remote', remote) };
  throw new Problem(`${SAID}: say where frames go, with remote.type=inet,remote.host=HOST,remote.port=PORT.`);
}
