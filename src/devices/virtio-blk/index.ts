import { ANY_LAYOUT, configChanged, hasFeature, startDevice, virtioPciDriver } from '../virtio/index.ts';
import { configOf, driveOf, featuresOf } from './config.ts';
import { BLK_REDUCER } from './evolve.ts';
import { CONFIG, FEATURE } from './registers.ts';
import { completed, hasWriteCache, serveRequests } from './requests.ts';
import { BLK_PROPERTIES, type BlkSetup, settledBlk } from './setup.ts';
import type { BlkState } from './state.ts';

/** A disk of virtio. Virtio 1.1, 5.2. */
export const driver = virtioPciDriver<BlkState, BlkSetup>({
  name: 'virtio-blk-pci',
  description: 'Disk of virtio',
  category: 'Storage',
  properties: BLK_PROPERTIES,
  settle: settledBlk,
  identity: { id: 2, classCode: 0x01_00_00, transitionalId: 0x1001, irqfd: true },
  configBytes: () => CONFIG.bytes,
  queueSizes: (setup) => new Array<number>(setup['num-queues']).fill(setup['queue-size']),
  atReset: () => ({ writeCache: 'as made' }),
  create: (setup, layout) => ({
    features: ({ effects }) => [featuresOf(setup, driveOf(setup, effects), layout.isModern), 0],
    withholds: () => [layout.isModern ? 0 : ANY_LAYOUT, 0],
    config: ({ state, effects }) => configOf(setup, driveOf(setup, effects), hasWriteCache(setup, state, effects)),
    configWritten({ effects }, { offset, size, value }) {
      const at = CONFIG.wce - offset;
      if (at < 0 || at >= size) return;
      const on = ((value >>> (8 * at)) & 0xff) !== 0;
      effects.raise({ kind: 'sim:virtio_blk_write_cache', dev: effects.name, on });
    },
    started({ state, effects }) {
      // A driver that sends no flushes gets what it wrote at once.
      if (hasFeature(state, FEATURE.configWce)) return;
      effects.raise({ kind: 'sim:virtio_blk_write_cache', dev: effects.name, on: hasFeature(state, FEATURE.flush) });
    },
    serve(part, queue) {
      // Some drivers notify before they say that they are at work.
      if (setup.ioeventfd) startDevice(part);
      return serveRequests(setup, part, queue);
    },
    drain: ({ effects }) => effects.drain(setup.drive),
    // QEMU's writes reach the disk although the queue they came by is gone; ours are done before it is.
    queueReset({ state, effects }, queue) {
      if ((state.queues[queue]?.elements.length ?? 0) > 0) effects.drain(setup.drive);
    },
    completed: (state, request, result, effects) => completed(setup, { layout, state, effects }, request, result),
    resized: (state, drive, effects) => {
      if (drive === setup.drive) configChanged({ layout, state, effects });
    },
    describe: ({ status, queues }) => ({
      status: `0x${status.toString(16)}`,
      'in flight': `${queues.reduce((sum, { elements }) => sum + elements.length, 0)}`,
    }),
  }),
  reducer: BLK_REDUCER,
});
