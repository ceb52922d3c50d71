import { expect, test } from 'vitest';
import { featuresOf } from '../../../src/devices/virtio-net/config.ts';
import { NET_PROPERTIES, type NetSetup, settledNet } from '../../../src/devices/virtio-net/setup.ts';

const USUAL = Object.fromEntries(
  Object.entries(NET_PROPERTIES).map(([name, property]) => [name, property.default]),
) as unknown as NetSetup;

const peer = (takesHeaders: boolean) => ({ name: 'n', type: 'tap', takesHeaders });

/** What virtio itself has: NOTIFY_ON_EMPTY, ANY_LAYOUT, INDIRECT, EVENT_IDX, and the bit of bad drivers. */
const RING = 0x7900_0000;

// golden/io/qtest/virtio_registers_reset: what the legacy interface shows.
test.each([
  ['user', USUAL, peer(false), 0x79bf_8064],
  ['tap', USUAL, peer(true), 0x79bf_ffe7],
  ['tap queues=2 mq=on', { ...USUAL, mq: true }, peer(true), 0x79ff_ffe7],
  ['nobody', USUAL, undefined, 0x79bf_8064],
])('with %s it offers what QEMU offers', (_name, setup, at, word) => {
  expect(featuresOf(setup, at)[0] + RING).toBe(word);
});

test.each([
  [{ rx_queue_size: 300 }, 'Invalid rx_queue_size (= 300), must be a power of 2 between 256 and 1024'],
  [{ tx_queue_size: 128 }, 'Invalid tx_queue_size (= 128), must be a power of 2 between 256 and 1024'],
  [{ duplex: 'both' }, "'duplex' must be 'half' or 'full'"],
  [{ tx: 'later' }, 'tx=later is neither timer nor bh'],
])('%o is refused', (change, sentence) => {
  expect(() => settledNet({ ...USUAL, ...change }, {})).toThrow(sentence);
});

test('a transmit queue has no more descriptors than QEMU gives it without another process behind it', () => {
  expect(settledNet({ ...USUAL, rx_queue_size: 1024, tx_queue_size: 1024 }, {})).toMatchObject({
    rx_queue_size: 1024,
    tx_queue_size: 256,
  });
});
