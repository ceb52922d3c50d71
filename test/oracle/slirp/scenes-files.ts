import { joined } from '../../../src/packets/layout.ts';
import { arp, bytesOf, changed, filler, GUEST6, icmp6, udp, udp6 } from './frames.ts';
import { type Asked, ask, type Question } from './question.ts';

const TFTP = 69;

/** A request: texts ended by zeroes. */
const request = (operation: number, ...texts: readonly string[]): Uint8Array =>
  joined(Uint8Array.of(0, operation), bytesOf(texts.map((text) => `${text}\0`).join('')));

const read = (...texts: readonly string[]): Uint8Array => request(1, ...texts);

const acknowledged = (block: number): Uint8Array => Uint8Array.of(0, 4, block >> 8, block & 0xff);

const from = (port: number, message: Uint8Array, to = '10.0.2.2'): Uint8Array => udp(TFTP, message, { to }, port);

const said = (note: string, port: number, message: Uint8Array): Asked => ask(note, from(port, message));

const FILES: readonly Asked[] = [
  ask('who is the gateway', arp('10.0.2.2')),
  said('a file', 2000, read('hello.txt', 'octet')),
  said('its block again', 2000, acknowledged(1)),
  said('a file of two blocks', 2001, read('two-blocks', 'octet')),
  ...[1, 2, 3].map((block) => said(`block ${block}`, 2001, acknowledged(block))),
  said('a file in large blocks', 2002, read('big', 'octet', 'blksize', '1428')),
  ...[0, 1, 2].map((block) => said(`large block ${block}`, 2002, acknowledged(block))),
  said('in larger blocks', 2003, read('big', 'OCTET', 'BLKSIZE', '65464')),
  said('in tiny blocks', 2004, read('hello.txt', 'octet', 'blksize', '8')),
  ...[0, 1].map((block) => said(`tiny block ${block}`, 2004, acknowledged(block))),
  said('in no blocks', 2005, read('hello.txt', 'octet', 'blksize', '0')),
  said('in negative blocks', 2006, read('hello.txt', 'octet', 'blksize', '-5')),
  said('how long', 2007, read('big', 'octet', 'tsize', '0')),
  said('how long and large blocks', 2008, read('big', 'octet', 'tsize', '0', 'blksize', '1024')),
  said('a length of its own', 2009, read('big', 'octet', 'tsize', '77')),
  said('three options', 2010, read('big', 'octet', 'blksize', '600', 'tsize', '0', 'blksize', '700')),
  said('options it does not know', 2011, read('hello.txt', 'octet', 'timeout', '4')),
  said('half an option', 2012, read('hello.txt', 'octet', 'blksize')),
  said('words for numbers', 2013, read('hello.txt', 'octet', 'blksize', 'many', 'tsize', ' 12x')),
  said('an empty file', 2014, read('empty', 'octet')),
  said('a file in a folder', 2015, read('sub/deep.txt', 'octet')),
  said('by a path', 2016, read('/sub/./deep.txt', 'octet')),
  said('as text', 2017, read('hello.txt', 'netascii')),
  said('in no mode', 2018, read('hello.txt', '')),
  said('in a short mode', 2018, read('hello.txt')),
  said('no file', 2019, read('nothing', 'octet')),
  said('no name', 2020, read('', 'octet')),
  said('a folder', 2021, read('sub/', 'octet')),
  said('above', 2022, read('../hello.txt', 'octet')),
  said('a long name', 2023, read('x'.repeat(511), 'octet')),
  said('a longer name', 2024, read('x'.repeat(512), 'octet')),
  said('without an end', 2025, read('hello.txt', 'octet', 'blksize', '100').slice(0, -1)),
  said('without a name', 2026, Uint8Array.of(0, 1)),
  said('a name without an end', 2027, joined(Uint8Array.of(0, 1), bytesOf('hello.txt'))),
  said('a write', 2028, request(2, 'new.txt', 'octet')),
  said('data', 2029, Uint8Array.of(0, 3, 0, 1, 1, 2, 3)),
  said('a block of nothing', 2030, acknowledged(1)),
  said('an operation it does not know', 2031, request(9, 'x')),
  said('no operation', 2032, Uint8Array.of(0)),
  said('a file again', 2033, read('big', 'octet')),
  said('another by the same port', 2033, read('two-blocks', 'octet')),
  said('its block', 2033, acknowledged(1)),
  said('a wrong block', 2033, acknowledged(99)),
  said('a file that is given up', 2034, read('big', 'octet')),
  said('because', 2034, joined(Uint8Array.of(0, 5, 0, 3), bytesOf('full\0'))),
  said('a block after that', 2034, acknowledged(1)),
  ask('of the resolver', from(2035, read('hello.txt', 'octet'), '10.0.2.3')),
  ask('without a checksum', changed(from(2036, read('hello.txt', 'octet')), [40, 0], [41, 0])),
];

const MANY: readonly Asked[] = [
  ask('who is the gateway', arp('10.0.2.2')),
  ...Array.from({ length: 21 }, (_, at) => said(`reader ${at}`, 3000 + at, read('big', 'octet'))),
  said('the first goes on', 3000, acknowledged(1)),
  ask('for a while nobody', arp('10.0.2.9'), 5600),
  said('a late one', 3030, read('big', 'octet')),
  said('the second goes on', 3001, acknowledged(1)),
  said('the first does not', 3000, acknowledged(2)),
];

const OVER_IPV6: readonly Asked[] = [
  ask('who asks for a router', icmp6(133, filler(4), { to: 'ff02::2' })),
  ask('a file', udp6(TFTP, read('two-blocks', 'octet'), {}, 2000)),
  ask('its block', udp6(TFTP, acknowledged(1), {}, 2000)),
  ask('no file', udp6(TFTP, read('nothing', 'octet'), {}, 2001)),
  ask('of the link', udp6(TFTP, read('hello.txt', 'octet'), { from: GUEST6, to: 'fe80::2' }, 2002), 60),
];

/** The server of files. */
export const FILE_SCENES: readonly Question[] = [
  { name: 'files', options: [['tftp', '']], asked: FILES },
  {
    name: 'files, restricted',
    options: [
      ['tftp', ''],
      ['restrict', 'on'],
    ],
    asked: FILES.slice(0, 8),
  },
  { name: 'many files', options: [['tftp', '']], asked: MANY },
  { name: 'no files', options: [], asked: FILES.slice(0, 4) },
  { name: 'files over IPv6', options: [['tftp', '']], asked: OVER_IPV6 },
];
