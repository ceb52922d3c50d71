/** What libslirp is asked, so that it is known what it answers. */
import { arp, dhcp, echo, OTHER } from './frames.ts';
import { mutated } from './mutated.ts';
import { type Asked, ask, type Question } from './question.ts';
import { DHCP, DISCOVER, LEASE, LEASES } from './scenes-dhcp.ts';
import { FILE_SCENES } from './scenes-files.ts';
import { ARP, FRAGMENTS, ICMP, UDP, UNKNOWN } from './scenes-ipv4.ts';
import { IPV6_SCENES } from './scenes-ipv6.ts';

const elsewhere: readonly Asked[] = [
  ask('who is the gateway', arp('192.168.7.1', { sender: '192.168.7.9' })),
  ask('who is the usual', arp('192.168.7.2', { sender: '192.168.7.9' })),
  ask('who is the resolver', arp('192.168.7.5', { sender: '192.168.7.9' })),
  ask('an echo', echo(20, { from: '192.168.7.9', to: '192.168.7.1' })),
  ...LEASE,
];

const wrapped = [7, 8, 9].flatMap((at) =>
  Array.from({ length: 3 }, (_, more) =>
    ask(`client ${at} ${more}`, dhcp(DISCOVER, [], { client: OTHER + at * 3 + more })),
  ),
);

/** All that is asked. */
export const QUESTIONS: readonly Question[] = [
  { name: 'ARP', options: [], asked: ARP },
  { name: 'ICMP', options: [], asked: ICMP },
  ...FRAGMENTS.map((asked) => ({
    ...{ name: `fragments: ${asked[0]?.note}`, options: [] },
    asked: [ask('who is the gateway', arp('10.0.2.2')), ...asked],
  })),
  { name: 'UDP', options: [], asked: UDP },
  { name: 'UDP, restricted', options: [['restrict', 'on']], asked: UDP },
  { name: 'ICMP, restricted', options: [['restrict', 'on']], asked: ICMP },
  { name: 'strangers', options: [], asked: UNKNOWN },
  { name: 'DHCP', options: [], asked: DHCP },
  ...LEASES.map(([name, options]) => ({
    name: `a lease, ${name}`,
    options,
    asked: [...LEASE, ...(name === 'wrapped' ? wrapped : [])],
  })),
  {
    name: 'another network',
    options: [
      ['net', '192.168.7.0/24'],
      ['host', '192.168.7.1'],
      ['dns', '192.168.7.5'],
    ],
    asked: elsewhere,
  },
  {
    name: 'a network of a class',
    options: [['net', '172.16.5.0']],
    asked: [ask('who is the gateway', arp('172.16.2.2', { sender: '172.16.9.9' })), ...LEASE],
  },
  { name: 'no IPv4', options: [['ipv4', 'off']], asked: [...ARP.slice(0, 4), ask('an echo', echo(56)), ...LEASE] },
  ...FILE_SCENES,
  ...IPV6_SCENES,
  ...mutated([
    ...[...ARP, ...ICMP.slice(0, 30), ...FRAGMENTS.slice(0, 3).flat(), ...UDP.slice(0, 10), ...DHCP.slice(0, 12)],
    ...[
      ...FILE_SCENES.flatMap(({ asked }) => asked.slice(0, 12)),
      ...IPV6_SCENES.flatMap(({ asked }) => asked.slice(0, 24)),
    ],
  ]),
];
