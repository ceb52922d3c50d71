/** `-netdev socket`, `-net socket`: the same with older options. QEMU 7.2: net/socket.c. */
import { Problem } from '../../base/problem.ts';
import { type PropertiesOf, text } from '../../devices/properties.ts';
import { descriptorOf, hostPortOf, isGroup, type Outside } from './outside.ts';

export interface SocketSetup {
  readonly fd: string;
  readonly listen: string;
  readonly connect: string;
  readonly mcast: string;
  readonly udp: string;
  readonly localaddr: string;
}

export const SOCKET_PROPERTIES: PropertiesOf<SocketSetup> = {
  fd: text('', 'The number of an open connection'),
  listen: text('', 'HOST:PORT where somebody connects'),
  connect: text('', 'HOST:PORT of somebody who waits'),
  mcast: text('', 'ADDRESS:PORT of a group'),
  udp: text('', 'HOST:PORT to which datagrams go'),
  localaddr: text('', 'With udp HOST:PORT where they come, with mcast the address of an interface'),
};

const SAID = '-netdev socket';
const WAYS = ['fd', 'listen', 'connect', 'mcast', 'udp'] as const;

export function socketOutside(setup: SocketSetup): Outside {
  const [way, other] = WAYS.filter((each) => setup[each] !== '');
  const { localaddr } = setup;
  if (way === undefined || other !== undefined) {
    throw new Problem(`${SAID}: give it exactly one of listen=, connect=, mcast=, udp= and fd=.`);
  }
  if (localaddr !== '' && way !== 'mcast' && way !== 'udp') {
    throw new Problem(`${SAID}: localaddr= goes with mcast= and udp= alone.`);
  }
  if (way === 'fd') return { by: 'connect', at: { fd: descriptorOf(SAID, way, setup.fd) } };
  const at = hostPortOf(SAID, way, setup[way]);
  if (way === 'listen' || way === 'connect') return { by: way, at };
  if (way === 'mcast') {
    if (!isGroup(at)) throw new Problem(`${SAID}: mcast=${setup.mcast} is no group: 224.0.0.0 to 239.255.255.255 are.`);
    return { by: 'group', group: at, own: localaddr === '' ? undefined : localaddr };
  }
  if (localaddr === '') throw new Problem(`${SAID}: udp= needs localaddr=HOST:PORT.`);
  return { by: 'datagrams', local: hostPortOf(SAID, 'localaddr', localaddr), remote: at };
}
