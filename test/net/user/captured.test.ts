import { describe, expect, test } from 'vitest';
import { hexadecimal } from '../../../src/base/bytes.ts';
import { ETHERTYPES, parseEthernet } from '../../../src/packets/ethernet.ts';
import { IP_PROTOCOLS, parseIpv4 } from '../../../src/packets/ipv4.ts';
import { captured } from '../../packets/pcap.ts';
import { E1000, VIRTIO, Wire } from '../wire.ts';

const GUEST = 0x5254_0012_3456;

/** Connections are not this test's. */
function isTcp(frame: Uint8Array): boolean {
  const { type, payload } = parseEthernet(frame)!;
  return type === ETHERTYPES.IPV4 && parseIpv4(payload)?.protocol === IP_PROTOCOLS.TCP;
}

describe.each([
  ['virtio-net', VIRTIO],
  ['e1000', E1000],
] as const)("libslirp's answers to Linux over %s", (nic, peer) => {
  test('are ours, byte by byte and in their order', () => {
    const wire = new Wire({ restrict: true, guestfwd: 'tcp:10.0.2.100:80-builtin:http' }, peer);
    const ours: string[] = [];
    const theirs: string[] = [];
    for (const frame of captured(nic).filter((each) => !isTcp(each))) {
      if (parseEthernet(frame)?.source !== GUEST) theirs.push(hexadecimal(frame));
      else ours.push(...wire.frames(frame).map(hexadecimal));
    }
    expect(ours).toEqual(theirs);
    expect(theirs).toHaveLength(11);
  });
});
