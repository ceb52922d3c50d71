import { DHCP_OPTIONS } from '../../../src/packets/dhcp.ts';
import { dhcp, OTHER, udp, wanted } from './frames.ts';
import { type Asked, ask, type Question } from './question.ts';

export const DISCOVER = 1;
const REQUEST = 3;

const listed = { code: DHCP_OPTIONS.PARAMETERS, data: Uint8Array.of(1, 3, 6, 12, 15, 28) };

export const DHCP: readonly Asked[] = [
  ask('a request without an address', dhcp(REQUEST)),
  ask('a discovery', dhcp(DISCOVER, [listed])),
  ask('a discovery again', dhcp(DISCOVER, [listed], { xid: 7 })),
  ask('of an address', dhcp(DISCOVER, [wanted('10.0.2.20')])),
  ask('of a strange address', dhcp(DISCOVER, [wanted('192.168.1.1')])),
  ask('of one below', dhcp(DISCOVER, [wanted('10.0.2.14')])),
  ask('a request', dhcp(REQUEST, [wanted('10.0.2.15')])),
  ask('a request of a strange address', dhcp(REQUEST, [wanted('192.168.1.1')])),
  ask("a request of another's", dhcp(REQUEST, [wanted('10.0.2.15')], { client: OTHER })),
  ask('a request of the last', dhcp(REQUEST, [wanted('10.0.2.30')], { client: OTHER })),
  ask('a request of one beyond', dhcp(REQUEST, [wanted('10.0.2.31')], { client: OTHER })),
  ask('a renewal', dhcp(REQUEST, [], { ciaddr: '10.0.2.15', to: '10.0.2.2' })),
  ask('a renewal of nothing', dhcp(REQUEST, [], { ciaddr: '10.9.9.9', to: '10.0.2.2' })),
  ...[0, 2, 4, 5, 6, 7, 8, 9, 200].map((type) => ask(`of type ${type}`, dhcp(type))),
  ask('of BOOTP', dhcp(0, [], { options: undefined })),
  ask('of BOOTP with an address', dhcp(0, [], { options: undefined, ciaddr: '10.0.2.17' })),
  ask('of type 0 with an address', dhcp(0, [], { ciaddr: '10.0.2.17' })),
  ask('an answer', dhcp(DISCOVER, [], { op: 2 })),
  ask('to somebody else', dhcp(DISCOVER, [], { to: '10.0.2.3' })),
  ask('twice a type', dhcp(DISCOVER, [{ code: 53, data: Uint8Array.of(3) }])),
  ask('an empty type', dhcp(0, [{ code: 53, data: new Uint8Array(0) }])),
  ask('a short address', dhcp(DISCOVER, [{ code: 50, data: Uint8Array.of(10, 0, 2) }])),
  ask('a long address', dhcp(DISCOVER, [{ code: 50, data: Uint8Array.of(10, 0, 2, 25, 1, 2) }])),
  ask('options cut', cutDhcp(dhcp(DISCOVER, [wanted('10.0.2.21')], { least: 0 }), 4)),
  ask('options cut within one', cutDhcp(dhcp(DISCOVER, [wanted('10.0.2.21')], { least: 0 }), 2)),
  ...[1, 6, 7, 240, 241].map((short) => ask(`shorter by ${short}`, cutDhcp(dhcp(DISCOVER, [], { least: 0 }), short))),
  ask('of nobody', dhcp(DISCOVER, [], { client: 0 })),
  ask('a request of nobody', dhcp(REQUEST, [], { client: 0 })),
  ...Array.from({ length: 16 }, (_, at) => ask(`client ${at}`, dhcp(DISCOVER, [], { client: OTHER + 1 + at }))),
  ask('a client of none left', dhcp(REQUEST, [], { client: OTHER + 200 })),
  ask('whom all know', dhcp(REQUEST, [], { client: OTHER + 4 })),
];

/** Without its last bytes, sound nevertheless. */
function cutDhcp(frame: Uint8Array, by: number): Uint8Array {
  return udp(67, frame.slice(42, frame.length - by), { from: '0.0.0.0', to: '255.255.255.255' }, 68);
}

export const LEASE = [ask('a discovery', dhcp(DISCOVER)), ask('a request', dhcp(REQUEST, [wanted('10.0.2.15')]))];

const long = (length: number): string => 'abcdefghij'.repeat(26).slice(0, length);

export const LEASES: readonly (readonly [name: string, options: Question['options']])[] = [
  ['restricted', [['restrict', 'on']]],
  [
    'named',
    [
      ['hostname', 'guest'],
      ['domainname', 'example.org'],
      ['tftp-server-name', 'files.example.org'],
      ['bootfile', 'pxelinux.0'],
    ],
  ],
  [
    'long name',
    [
      ['hostname', long(60)],
      ['domainname', long(200)],
      ['tftp-server-name', long(100)],
      ['dnssearch', 'a.example'],
    ],
  ],
  [
    'very long name',
    [
      ['domainname', long(255)],
      ['tftp-server-name', long(10)],
    ],
  ],
  [
    'just enough',
    [
      ['domainname', long(100)],
      ['tftp-server-name', long(161)],
    ],
  ],
  [
    'just too much',
    [
      ['domainname', long(100)],
      ['tftp-server-name', long(162)],
    ],
  ],
  ['from a web', [['bootfile', 'http://10.0.2.2/boot.efi']]],
  ['one search', [['dnssearch', 'example.org']]],
  [
    'searches',
    [
      ['dnssearch', 'example.org'],
      ['dnssearch', 'sub.example.org'],
      ['dnssearch', 'other.net'],
      ['dnssearch', 'deep.sub.example.org'],
      ['dnssearch', 'org'],
    ],
  ],
  [
    'searches backwards',
    [
      ['dnssearch', 'a.b.c.d.example'],
      ['dnssearch', 'x.c.d.example'],
      ['dnssearch', 'd.example.'],
      ['dnssearch', 'e.b.c.d.example'],
      ['dnssearch', 'example'],
    ],
  ],
  [
    'many searches',
    Array.from({ length: 14 }, (_, at) => ['dnssearch', `department-${at}.division-${at % 3}.example.org`] as const),
  ],
  ['wrapped', [['dhcpstart', '10.0.2.250']]],
];
