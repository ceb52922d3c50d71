import {
  lengthOf,
  notifyDriver,
  pushElement,
  scatter,
  serveQueue,
  VIRTIO_PROPERTIES,
  type VirtioFunctionState,
  type VirtioPart,
  type VirtioSetup,
  virtioPciDriver,
} from '../virtio/index.ts';

const QUEUE = 0;
const DESCRIPTORS = 8;

/** Most bytes of one element, however many a driver asks for. */
const MOST_BYTES = 4096;

/** Entropy of virtio, from a stream of the seed. Virtio 1.1, 5.4. */
export const driver = virtioPciDriver<object, VirtioSetup>({
  name: 'virtio-rng-pci',
  description: 'Entropy of virtio, from the seed',
  category: 'Misc',
  properties: VIRTIO_PROPERTIES,
  identity: { id: 4, classCode: 0x00_ff_00, transitionalId: 0x1005, configBytes: 0 },
  queueSizes: () => [DESCRIPTORS],
  atReset: () => ({}),
  create: () => ({
    features: () => [0, 0],
    config: () => new Uint8Array(0),
    serve: giveEntropy,
    describe: ({ status }) => ({ status: `0x${status.toString(16)}` }),
  }),
  reducer: {},
});

/** What a driver asks for is there at once. */
function giveEntropy(part: VirtioPart<VirtioFunctionState>): number {
  const { effects } = part;
  return serveQueue(part, QUEUE, {
    look: () => undefined,
    take(element) {
      const length = Math.min(lengthOf(element.in), MOST_BYTES);
      if (length > 0) scatter(effects, element.in, effects.random(STREAM, length));
      pushElement(part, QUEUE, element, length);
      notifyDriver(part, QUEUE);
      return true;
    },
  });
}

const STREAM = 'virtio-rng';
