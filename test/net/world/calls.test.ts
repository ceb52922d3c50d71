import { describe, expect, test } from 'vitest';
import type { Call, LinkRules, World } from '../../../src/net/world/world.ts';
import { parseIpv4 } from '../../../src/packets/ipv4.ts';
import { mssOf, parseTcp, TCP_FLAGS } from '../../../src/packets/tcp.ts';
import { firstOf } from '../../how-long.ts';
import { Bench } from '../bench.ts';

const SECOND = 1_000_000_000;
const MS = 1_000_000;

/** Two of ours, as each other's guest. It is a trial of hands and feet, not of what is right: that Linux judges. */
class Pair {
  readonly caller: Bench;
  readonly called: Bench;
  now = 0;

  constructor(
    call: Partial<Call>,
    services: NonNullable<World['hosts']>[number]['services'],
    link: LinkRules = {},
    seed = 1,
  ) {
    let drawn = seed;
    const chance = (): number => {
      drawn = (Math.imul(drawn, 1_103_515_245) + 12_345) >>> 0;
      return (drawn >>> 8) / 2 ** 24;
    };
    const calls = [{ at: SECOND, to: '10.0.2.15', port: 80, steps: [], ...call }];
    this.caller = new Bench({ link, hosts: [{ addresses: ['10.0.2.100'], calls }] }, { chance }, false);
    const hosts = services === undefined ? [] : [{ addresses: ['10.0.2.15'], services }];
    this.called = new Bench(
      { link, hosts },
      { chance, neighbor: '10.0.2.100', restrict: services === undefined },
      false,
    );
  }

  /** Let time pass up to a moment, or until both have nothing more to do. */
  run(until: number): void {
    for (;;) {
      const next = Math.min(
        ...[this.caller, this.called].flatMap(({ deadline, sent }) => [
          deadline ?? Number.POSITIVE_INFINITY,
          ...sent.map(({ due }) => due),
        ]),
      );
      if (next > until) break;
      this.now = Math.max(this.now, next);
      this.caller.passTo(this.now);
      this.called.passTo(this.now);
      this.carry(this.caller, this.called);
      this.carry(this.called, this.caller);
    }
    this.now = until;
  }

  private carry(from: Bench, to: Bench): void {
    const there = from.sent.filter(({ due }) => due <= this.now).sort((a, b) => a.due - b.due);
    for (const packet of there) from.sent.splice(from.sent.indexOf(packet), 1);
    for (const { bytes } of there) to.receive(parseIpv4(bytes)!);
  }

  get ends(): readonly string[] {
    return [this.caller, this.called].flatMap((bench) => bench.ofKind('sim:tcp_closed').map(({ why }) => why));
  }
}

const TEXT = Array.from({ length: 40_000 }, (_, at) => String.fromCharCode((at * 89) % 256)).join('');

describe('a host that calls', () => {
  test('says, waits, expects and closes', () => {
    const steps: Call['steps'] = [
      { do: 'send', text: TEXT },
      { do: 'expect', text: TEXT },
      { do: 'wait', for: 3 * SECOND },
      { do: 'send', text: 'bye' },
      { do: 'expect', text: 'bye' },
    ];
    const pair = new Pair({ steps }, [{ kind: 'echo', port: 80 }]);
    pair.run(60 * SECOND);
    expect(pair.caller.ofKind('sim:call_went_on').map(({ step }) => step)).toEqual([1, 2, 2, 3, 4, 5]);
    expect(pair.ends).toEqual(['done', 'done']);
    expect(pair.caller.timers.size).toBe(0);
  });

  test('of IPv6 has other headers', () => {
    const world: World = {
      hosts: [{ addresses: ['10.0.2.9', 'fec0::9'], calls: [{ at: 0, to: 'fec0::15', port: 22, steps: [] }] }],
    };
    const bench = new Bench(world);
    bench.passTo(0);
    const { bytes } = bench.sent[0]!;
    const segment = parseTcp(bytes.subarray(40))!;
    expect([bytes[0]! >> 4, segment.flags, mssOf(segment.options)]).toEqual([6, TCP_FLAGS.SYN, 1440]);
  });

  test('tries again where it is refused', () => {
    const pair = new Pair({ retry: 2 * SECOND }, undefined);
    pair.run(10 * SECOND);
    expect(pair.caller.ofKind('sim:call_made')).toHaveLength(5);
    expect(new Set(pair.ends)).toEqual(new Set(['refused by the guest']));
  });

  test('gives up where nothing comes back', () => {
    const pair = new Pair({}, [{ kind: 'echo', port: 80 }], { loss: 1 });
    pair.run(200 * SECOND);
    expect(pair.caller.ofKind('sim:tcp_retransmitted').length).toBeGreaterThan(3);
    expect(pair.ends).toEqual(['nothing heard in syn-sent']);
  });
});

test.each(
  firstOf(
    11,
    Array.from({ length: 110 }, (_, seed) => seed + 1),
  ),
)('what is said arrives over a bad link, seed %i', (seed) => {
  const link = { loss: (seed % 11) / 100, reorder: 0.1, duplicate: 0.05, latency: MS, jitter: 2 * MS };
  const steps: Call['steps'] = [
    { do: 'send', text: TEXT },
    { do: 'expect', text: TEXT },
  ];
  const pair = new Pair({ steps }, [{ kind: 'echo', port: 80 }], link, seed * 7919);
  pair.run(2000 * SECOND);
  expect(pair.caller.ofKind('sim:call_went_on')).toHaveLength(2);
  expect(pair.ends).toHaveLength(2);
});

describe('the way to a host', () => {
  test('has a bandwidth, a latency and a largest packet', () => {
    const link: LinkRules = { latency: 10 * MS, bandwidth: 8_000_000, mtu: 1000 };
    const pair = new Pair({ steps: [{ do: 'send', text: TEXT }] }, [{ kind: 'sink', port: 80 }], link);
    pair.run(100 * SECOND);
    const sent = pair.caller.ofKind('sim:packet_sent');
    expect(Math.max(...sent.map(({ bytes }) => bytes.length))).toBe(1000 + 14);
    // A byte each microsecond, one behind the other.
    const full = sent.filter(({ bytes }) => bytes.length === 1014).map(({ due }) => due);
    const gaps = full.slice(1).map((due, at) => due - full[at]!);
    expect(Math.min(...gaps)).toBe(1000 * 1000);
    expect(full[0]! - SECOND).toBeGreaterThan(30 * MS);
  });
});
