import { msix, pciDriver } from '../../../src/devices/pci/index.ts';
import { bool } from '../../../src/devices/properties.ts';

/** Whether each vector is an irqfd. */
interface RaiserSetup {
  readonly irqfd: boolean;
}

interface RaiserState {
  /** How many vectors it was told to raise. */
  readonly raised: number;
}

/** What the expansion ROM holds. */
export const ROM = Uint8Array.from({ length: 3000 }, (_, at) => (at * 7) & 0xff);

const raiser = (irqfd: boolean) =>
  pciDriver<RaiserState, RaiserSetup>({
    name: irqfd ? 'raiser-irqfd' : 'raiser',
    category: 'Misc',
    properties: { irqfd: bool(irqfd, 'Vectors are irqfds') },
    identity: { vendorId: 0x1234, deviceId: 0x5678, classCode: 0x00_ff_00, interruptPin: 1 },
    bars: [
      { index: 0, region: 0, space: 'memory', size: 4096 },
      { index: 2, region: 1, space: 'memory', size: 4096, width: 64, prefetchable: true },
    ],
    regions: [
      { name: 'raise', space: 'memory', length: 4096, minAccess: 4, maxAccess: 4 },
      { name: 'wide', space: 'memory', length: 4096, minAccess: 4, maxAccess: 4 },
    ],
    capabilities: [msix({ vectors: 2, bar: 1, irqfd })],
    rom: ROM,
    create: () => ({
      read: (state) => state.raised,
      write(_state, _region, _offset, _size, value, effects) {
        effects.commit();
        if (!effects.msi(value)) effects.pin('intx', true);
      },
      describe: ({ raised }) => ({ raised: `${raised}` }),
    }),
    atReset: () => ({ raised: 0 }),
    reducer: {
      written(state) {
        state.raised += 1;
      },
    },
  });

/** A function that raises the vector written to its register: what QEMU has none of. */
export const raisers = { raiser: raiser(false), raiserIrqfd: raiser(true) };
