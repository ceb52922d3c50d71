import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { difference } from '../difference.ts';
import { ourGuest } from './ours.ts';
import { netRegisters } from './scripts/net-registers.ts';
import { type NetRing, netRing } from './scripts/net-ring.ts';

/** A capture of QEMU 7.2, part by part. */
function captured(file: string): ReadonlyMap<string, readonly string[]> {
  const packed = readFileSync(new URL(`../recorded/virtio/${file}.txt.gz`, import.meta.url));
  const parts = gunzipSync(packed)
    .toString()
    .split(/^(?=## )/m)
    .map((part) => part.trimEnd().split('\n'));
  return new Map(parts.map((lines) => [lines[0]!.slice('## '.length), lines.map((line) => line.trimEnd())]));
}

const ALL = 0x0fbf_8024;
const EVENT_IDX_AND_INDIRECT = 0x3000_0000;

const RINGS: readonly NetRing[] = [
  { title: 'modern, MRG_RXBUF, CTRL_VQ, EVENT_IDX off', isModern: true, hasMsix: true, features: ALL },
  {
    title: 'modern, everything offered (EVENT_IDX, INDIRECT)',
    isModern: true,
    hasMsix: true,
    features: ALL + EVENT_IDX_AND_INDIRECT,
  },
  { title: 'legacy, MAC only, INTx', isModern: false, hasMsix: false, features: 0x20 },
  { title: 'legacy, MAC|MRG_RXBUF, INTx', isModern: false, hasMsix: false, features: 0x8020 },
];

const PROPERTIES = { mac: '52:54:00:12:34:56' };

describe("virtio-net's rings are QEMU's, line by line", () => {
  const parts = captured('virtio_net_ring');

  test.each(RINGS.map((ring) => [ring.title, ring] as const))('%s', async (title, ring) => {
    const theirs = parts.get(title) ?? [];
    expect(theirs.length).toBeGreaterThan(10);
    const ours: string[] = [];
    const scene = { name: title, driver: 'virtio-net-pci', properties: PROPERTIES, script: netRing(ring) };
    await scene.script(ourGuest(scene), (line) => void ours.push(line.trimEnd()));
    expect(difference(theirs, ours)).toBeUndefined();
  });
});

describe("virtio-net's registers are QEMU's, line by line", () => {
  const parts = captured('virtio_net_registers_reset');
  const isScripted = (title: string): boolean =>
    (parts.get(title) ?? []).some((line) => line.startsWith('-- a script'));

  test.each(['virtio-net-pci,netdev=user', 'virtio-net-pci,netdev=hubport', 'virtio-net-pci,netdev=tap vnet_hdr=off'])(
    '%s',
    async (title) => {
      const [, , ...theirs] = parts.get(title) ?? [];
      expect(theirs.length).toBeGreaterThan(15);
      const ours: string[] = [];
      const script = netRegisters(isScripted(title));
      const scene = { name: title, driver: 'virtio-net-pci', properties: PROPERTIES, script };
      await scene.script(ourGuest(scene), (line) => void ours.push(line.trimEnd()));
      expect(difference(theirs, ours)).toBeUndefined();
    },
  );
});
