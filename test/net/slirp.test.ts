import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { output } from '../../src/net/tcp/output.ts';
import { bytesOf, say } from '../../src/net/world/say.ts';
import type { World } from '../../src/net/world/world.ts';
import { IP_PROTOCOLS, type ParsedIpv4, parseIpv4, WHOLE_IPV4 } from '../../src/packets/ipv4.ts';
import { NOTHING } from '../../src/packets/layout.ts';
import { parseTcp } from '../../src/packets/tcp.ts';
import { Bench } from './bench.ts';
import { CONVERSATIONS, GUEST, guestSegment, HOST, hostLine, newTalk } from './conversation.ts';

const world: World = {
  hosts: [
    {
      addresses: ['10.0.2.100'],
      services: [
        { kind: 'echo', port: 7 },
        { kind: 'sink', port: 9 },
        { kind: 'sink', port: 13 },
      ],
    },
  ],
};

const MS = 1_000_000;

/** The host says ten digits, and then that it says no more. */
function endsAtOnce({ net }: Bench): void {
  say(net, 1, bytesOf('0123456789\n'), false);
  output(net, 1);
  say(net, 1, NOTHING, true);
  output(net, 1);
}

/** What our host says in a conversation, line by line, the guest's own with it. */
function heldWithUs(port: number, moves: readonly string[]): string[] {
  const bench = new Bench(world);
  const talk = newTalk();
  const lines: string[] = [];
  for (const move of moves) {
    lines.push(`> ${move}`);
    const ends = { source: GUEST, destination: HOST, protocol: IP_PROTOCOLS.TCP };
    if (move.startsWith('wait ')) {
      bench.passTo(bench.now + Number(move.slice(5)) * MS);
    } else {
      const payload = guestSegment(talk, port, move);
      bench.receive({ ...WHOLE_IPV4, ...ends, id: 1, ttl: 64, payload, header: NOTHING, checksum: 0 } as ParsedIpv4);
      if (port === 13 && bench.events.splice(0).some(({ kind }) => kind === 'sim:tcp_established')) endsAtOnce(bench);
      bench.passTo(bench.now + 300 * MS);
    }
    for (const { bytes } of bench.sent.splice(0)) {
      const ip = parseIpv4(bytes)!;
      lines.push(hostLine(talk, ip, parseTcp(ip.payload)!));
    }
  }
  return lines;
}

/** By name, what `test/oracle/net/slirp.ts` heard. */
const HEARD = new Map(
  readFileSync(`${import.meta.dirname}/captured/slirp.txt`, 'utf8')
    .split(/^# /m)
    .slice(1)
    .map((text) => {
      const [name = '', ...lines] = text.trimEnd().split('\n');
      return [name, lines] as const;
    }),
);

/** What ours says otherwise, and why: lines of libslirp's, and ours in their place. */
const OTHERWISE: Readonly<Record<string, readonly (readonly [libslirp: string | RegExp, ours: string])[]>> = {
  // RFC 9293, 3.10.7.1: a reset is never answered by one.
  'nobody listens': [['< R. seq 0 ack 5 win 0 len 0 tos 0 ttl 255', '']],
  // A SYN that comes twice says that the answer was lost.
  'SYN said twice': [
    [
      '> S seq 0 mss 1460\n> . seq 1',
      '> S seq 0 mss 1460\n< S. seq 0 ack 1 win 65535 len 0 mss 1460 tos 0 ttl 64\n> . seq 1',
    ],
    ['< . seq 1 ack 1 win 65535 len 0 tos 0 ttl 64', ''],
  ],
  // One reset is enough, and one that belongs to nothing has no window.
  'a SYN amid it': [[/< R\. seq -\d+ ack 101 .*/g, '']],
  'wrong acknowledgment of the SYN': [['< R seq 9 win 328', '< R seq 9 win 0']],
  // RFC 9293, 3.10.7.4: a SYN that is beyond what came before may begin a new connection in TIME-WAIT.
  'TIME_WAIT, and a new one': [
    ['< R. seq 13 ack 2 win 65535 len 0 tos 0 ttl 64', '< S. seq 0 ack 1001 win 65535 len 0 mss 1460 tos 0 ttl 64'],
    [/< R\. seq -\d+ ack 1001 .*/g, ''],
  ],
  // Our FIN is under way: it is not said again before its time is up.
  'both end at once': [['< F. seq 12 ack 2', '< . seq 13 ack 2']],
  // Linux sends none unless it was given a cookie: it is not taken, and sent again.
  'data with the SYN': [
    ['< P. seq 1 ack 11 win 65535 len 10 "abcdefghij" tos 0 ttl 64', ''],
    [
      '< . seq 11 ack 11 win 65535 len 0 tos 0 ttl 64',
      '< . seq 1 ack 11 win 65535 len 0 tos 0 ttl 64\n< P. seq 1 ack 11 win 65535 len 10 "bcdefghijk" tos 0 ttl 64',
    ],
  ],
};

/** What libslirp said, and ours says otherwise. */
function expected(name: string): string[] {
  let text = HEARD.get(name)!.join('\n');
  for (const [libslirp, ours] of OTHERWISE[name] ?? []) {
    const without = text.replaceAll(libslirp, ours);
    expect(without).not.toBe(text);
    text = without;
  }
  return text.split('\n').filter((line) => line !== '');
}

describe('a conversation is as with libslirp', () => {
  test.each(CONVERSATIONS)('$name', ({ name, port, moves }) => {
    expect(heldWithUs(port, moves)).toEqual(expected(name));
  });
});
