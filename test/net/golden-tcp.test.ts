import { expect, test } from 'vitest';
import { output } from '../../src/net/tcp/output.ts';
import { say } from '../../src/net/world/say.ts';
import { parseIpv4 } from '../../src/packets/ipv4.ts';
import { parseTcp } from '../../src/packets/tcp.ts';
import { Bench } from './bench.ts';
import { GUEST } from './conversation.ts';
import { framesOf } from './headers.ts';

/** What the program behind slirp's guestfwd printed: the head of an answer, then its body. */
const SAID = [42, 65_536];

/** What of a packet slirp's and ours have in common: all but the identification, which counts other packets too. */
function shownOf(bytes: Uint8Array) {
  const { source, destination, tos, ttl, dontFragment, payload } = parseIpv4(bytes)!;
  const { sequence, acknowledgment, flags, window, urgent, options, payload: data } = parseTcp(payload)!;
  const ip = { source, destination, tos, ttl, dontFragment };
  return { ...ip, sequence, acknowledgment, flags, window, urgent, options: [...options], length: data.length };
}

test.each(['e1000', 'virtio-net'])(
  'a page that Linux fetches over %s comes in the segments it has from slirp',
  (nic) => {
    const bench = new Bench({ hosts: [{ addresses: ['10.0.2.100'], services: [{ kind: 'sink', port: 80 }] }] });
    const said = [...SAID];
    let compared = 0;
    for (const { at, bytes } of framesOf(`${import.meta.dirname}/captured/${nic}.pcap.gz`)) {
      const ip = parseIpv4(bytes)!;
      bench.passTo(at);
      if (ip.source === GUEST) {
        bench.receive(ip);
        continue;
      }
      if (bench.sent.length === 0) {
        const length = said.shift() ?? 0;
        say(bench.net, 1, new Uint8Array(length), said.length === 0);
        output(bench.net, 1);
      }
      expect(shownOf(bench.sent.shift()!.bytes)).toEqual(shownOf(bytes));
      compared += 1;
    }
    expect(compared).toBe(49);
    expect(bench.sent).toEqual([]);
    expect(bench.net.state.tcp.connections[1]?.phase).toBe('time-wait');
    bench.passTo(bench.now + 10_000_000_000);
    expect(bench.net.state.tcp.connections).toEqual({});
  },
);
