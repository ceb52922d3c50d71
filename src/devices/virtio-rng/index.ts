import { rngId } from '../properties.ts';
import {
  bytesAsked,
  type Element,
  isAtWork,
  lengthOf,
  notifyDriver,
  pushElement,
  scatter,
  takeElement,
  VIRTIO_PROPERTIES,
  type VirtioFunctionState,
  type VirtioPart,
  type VirtioSetup,
  virtioPciDriver,
} from '../virtio/index.ts';

/** What a virtio-rng-pci is made with; QEMU's names. */
interface RngSetup extends VirtioSetup {
  readonly rng: string;
}

const QUEUE = 0;
const DESCRIPTORS = 8;

/** Most bytes of one element, however many a driver asks for. */
export const MOST_RANDOM_BYTES = 0x1_0000;

/** Entropy of virtio, from a stream of the seed. Virtio 1.1, 5.4. */
export const driver = virtioPciDriver<object, RngSetup>({
  name: 'virtio-rng-pci',
  description: 'Entropy of virtio, from the seed',
  category: 'Misc',
  properties: { ...VIRTIO_PROPERTIES, rng: rngId },
  identity: { id: 4, classCode: 0x00_ff_00, transitionalId: 0x1005 },
  configBytes: () => 0,
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

/**
 * What a driver asks for is there at once: as many bytes as all buffers have that it has put there, one buffer after
 * the other. A buffer that is only to be read is given back when its turn comes. virtio_rng_process, chr_read.
 */
function giveEntropy(part: VirtioPart<VirtioFunctionState>): number {
  const { state } = part;
  let served = 0;
  for (let left = isAtWork(state) ? bytesAsked(part, QUEUE) : 0; left > 0; left = bytesAsked(part, QUEUE)) {
    while (left > 0) {
      const element = takeElement(part, QUEUE);
      if (element === undefined) break;
      served += 1;
      left -= fill(part, element, left);
    }
    notifyDriver(part, QUEUE);
  }
  return served;
}

/** Returns how many bytes it was given. */
function fill(part: VirtioPart<VirtioFunctionState>, element: Element, most: number): number {
  const { effects } = part;
  const length = Math.min(lengthOf(element.in), most, MOST_RANDOM_BYTES);
  if (length > 0) scatter(effects, element.in, effects.random(STREAM, length));
  pushElement(part, QUEUE, element, length);
  return length;
}

const STREAM = 'virtio-rng';
