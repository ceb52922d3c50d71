import { expect, test } from 'vitest';
import type { Effects } from '../../../src/devices/device.ts';
import { layoutOf } from '../../../src/devices/virtio/layout.ts';
import { pushElement } from '../../../src/devices/virtio/queues.ts';
import { nextChain } from '../../../src/devices/virtio/ring.ts';
import { readStructure } from '../../../src/devices/virtio/transport.ts';
import { segmentBytes, segmentsFrom } from '../../../src/devices/virtio/segments.ts';
import { queueAtReset, type VirtioFunctionState } from '../../../src/devices/virtio/state.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';

const MEMORY = 0x1000;
const QUEUE = { ...queueAtReset(4), desc: 0x100, avail: 0x200, used: 0x300 };

/** Effects of a device whose machine has little memory, and what it raised. */
function effectsOn(memory: Uint8Array): { readonly effects: Effects; readonly raised: MachineEvent[] } {
  const raised: MachineEvent[] = [];
  const effects: Partial<Effects> = {
    name: 'virtio-test',
    ramReach: (gpa, length) => Math.max(0, Math.min(length, MEMORY - gpa)),
    dmaRead: (gpa, length) => memory.slice(gpa, gpa + length),
    dmaTold: (gpa, bytes) => memory.set(bytes, gpa),
    raise: (event) => void raised.push(event),
  };
  return { effects: effects as Effects, raised };
}

test.each([0xffff_ffff_ffff_ff80n, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_fc00n, 0x20_0000_0000_0001n])(
  'a buffer at %s is of no memory, on record as well',
  (address) => {
    const memory = new Uint8Array(MEMORY);
    const descriptor = new DataView(memory.buffer, QUEUE.desc);
    descriptor.setBigUint64(0, address, true);
    descriptor.setUint32(8, 256, true);
    memory[QUEUE.avail + 2] = 1;
    const chain = nextChain(QUEUE, effectsOn(memory).effects);
    expect('error' in chain ? chain.error : '').toBe('');
    const { out } = chain as Exclude<typeof chain, { error: string }>;
    expect(out[0]!.gpa).toBeGreaterThan(2 ** 52);
    expect(segmentsFrom(segmentBytes(out))).toEqual(out);
  },
);

const SETUP = { 'disable-legacy': false, 'disable-modern': false, ioeventfd: false, 'page-per-vq': false };
const LAYOUT = layoutOf(
  { id: 4, classCode: 0, transitionalId: 0x1005 },
  { queues: 1, configBytes: 0 },
  {
    ...{ ...SETUP, event_idx: true, indirect_desc: true, vectors: 0 },
  },
);

test.each([
  [0x411_050, 0x411],
  [0x5_0000_0411_0000, 0x4110],
])('a ring that the modern interface placed at %d has a legacy page %d', (desc, page) => {
  const state = { queueSelect: 0, queues: [{ ...QUEUE, desc }], otherQueues: {} } as unknown as VirtioFunctionState;
  const body = {
    features: (): [number, number] => [0, 0],
    config: () => new Uint8Array(0),
    serve: () => 0,
    describe: () => ({}),
  } as const;
  const { effects } = effectsOn(new Uint8Array(MEMORY));
  const access = { structure: 'legacy', offset: 8, size: 4, commit: () => undefined } as const;
  expect(readStructure(body, { layout: LAYOUT, state, effects }, access)).toBe(page);
});

test('of more than 4 GiB given back the driver is told the low 32 bits, and so is who looks', () => {
  const memory = new Uint8Array(MEMORY);
  const { effects, raised } = effectsOn(memory);
  const state = { broken: false, queues: [QUEUE] } as unknown as VirtioFunctionState;
  pushElement({ layout: LAYOUT, state, effects }, 0, { id: 7, head: 2, out: [], in: [] }, 2 ** 32 + 5);
  expect(raised[0]).toMatchObject({ kind: 'virtqueue_fill', elem: 7, len: 5 });
  expect([...new Uint32Array(memory.buffer, QUEUE.used + 4, 2)]).toEqual([2, 5]);
});
