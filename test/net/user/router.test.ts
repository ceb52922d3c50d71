import { describe, expect, test } from 'vitest';
import { parseEthernet } from '../../../src/packets/ethernet.ts';
import { parseIcmpv6 } from '../../../src/packets/icmpv6.ts';
import { parseIpv6 } from '../../../src/packets/ipv6.ts';
import { arp, echo, filler, icmp6 } from '../../oracle/slirp/frames.ts';
import { Wire } from '../wire.ts';

const typesOf = (frames: readonly { readonly bytes: Uint8Array }[]): (number | undefined)[] =>
  frames.map(({ bytes }) => parseIcmpv6(parseIpv6(parseEthernet(bytes)!.payload)!.payload)?.type);

describe('the router', () => {
  test('speaks of itself when it is asked, and then from time to time', () => {
    const wire = new Wire();
    expect(wire.pass(3_600_000_000_000)).toEqual([]);
    expect(typesOf(wire.answers(icmp6(133, filler(4), { to: 'ff02::2' })))).toEqual([134]);
    expect(typesOf(wire.pass(1_000_000_000_000))).toEqual([134, 134]);
  });

  test('carries echoes to hosts of the world, which answer later', () => {
    const wire = new Wire({ world: { hosts: [{ addresses: ['198.51.100.7'] }] } });
    wire.frames(arp('10.0.2.2'));
    const [sent] = wire.answers(echo(56, { to: '198.51.100.7' }));
    expect(sent?.due).toBeGreaterThan(wire.now);
    const [refused] = wire.answers(echo(56, { to: '198.51.100.8' }));
    expect(refused?.due).toBeUndefined();
  });
});
