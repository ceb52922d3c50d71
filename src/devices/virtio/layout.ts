/** How a virtio function looks on the PCI bus: BARs, structures, capabilities. QEMU 7.2: hw/virtio/virtio-pci.c. */
import type { Region } from '../device.ts';
import {
  type Capability,
  capabilityOf,
  isMsixOn,
  msix,
  type PciFunctionState,
  type PciShape,
  placeCapabilities,
  vendor,
} from '../pci/index.ts';
import { LEGACY, STRUCTURE } from './registers.ts';

/** Properties of every virtio device on PCI. */
export interface VirtioSetup {
  readonly 'disable-legacy': boolean;
  readonly 'disable-modern': boolean;
  readonly ioeventfd: boolean;
  readonly 'page-per-vq': boolean;
  readonly event_idx: boolean;
  readonly indirect_desc: boolean;
  /** UNSPECIFIED: as many as there are queues, and one for the configuration. */
  readonly vectors: number;
}

/** What a model says of its place on the bus. */
export interface VirtioIdentity {
  /** Virtio 1.1, 5. */
  readonly id: number;
  readonly classCode: number;
  /** PCI device id while the legacy interface is there. */
  readonly transitionalId: number;
  /** Its vectors are MSI routes with an irqfd each. Without: it writes messages by itself. */
  readonly irqfd?: boolean;
}

/** How much there is of what a model may have more or less of. */
export interface VirtioExtent {
  /** Most queues there may be. */
  readonly queues: number;
  /** Bytes of its configuration as the legacy interface shows it. */
  readonly configBytes: number;
}

/** The parts of a function that are reached by registers. */
export type Structure = 'legacy' | 'common' | 'isr' | 'device' | 'notify';

/** A function's structures, by the numbers of their regions, and how many vectors it has. */
export interface VirtioLayout {
  readonly structures: readonly Structure[];
  readonly shape: PciShape;
  readonly vectors: number;
  readonly notifyMultiplier: number;
  readonly isModern: boolean;
  readonly setup: VirtioSetup;
  /** Where the window's capability lies; undefined: there is none. */
  readonly window: number | undefined;
}

/** DEV_NVECTORS_UNSPECIFIED. */
export const UNSPECIFIED = 0xffff_ffff;

const MOST_VECTORS = 2048;
const VENDOR = 0x1af4;
const MODERN_ID = 0x1040;
const STRUCTURE_BYTES = 0x1000;
const MODERN_BAR = 4;
const MSIX_BAR = 1;
const LARGEST_NOTIFY = 0x40_0000;
const NOTIFY_BYTES = { packed: 4, page: 0x1000 } as const;

/** Where a function's structures lie. */
export function layoutOf(
  { id, classCode, transitionalId, irqfd = false }: VirtioIdentity,
  { queues, configBytes }: VirtioExtent,
  setup: VirtioSetup,
): VirtioLayout {
  const isLegacy = !setup['disable-legacy'];
  const isModern = !setup['disable-modern'];
  const vectors = Math.min(setup.vectors === UNSPECIFIED ? queues + 1 : setup.vectors, MOST_VECTORS);
  const notifyMultiplier = setup['page-per-vq'] ? NOTIFY_BYTES.page : NOTIFY_BYTES.packed;
  const notifyBytes = setup['page-per-vq'] ? LARGEST_NOTIFY : STRUCTURE_BYTES;
  const structures: Structure[] = [
    ...(isLegacy ? (['legacy'] as const) : []),
    ...(isModern ? (['common', 'isr', 'device', 'notify'] as const) : []),
  ];
  const capabilities = [
    ...(isModern ? modernCapabilities(notifyMultiplier, notifyBytes) : []),
    ...(vectors > 0 ? [msix({ vectors, bar: MSIX_BAR, irqfd })] : []),
  ];
  const legacyBytes = legacySize(configBytes, vectors > 0);
  const modernBytes = 2 ** Math.ceil(Math.log2(3 * STRUCTURE_BYTES + notifyBytes));
  const shape: PciShape = {
    identity: {
      vendorId: VENDOR,
      deviceId: isLegacy ? transitionalId : MODERN_ID + id,
      classCode,
      revision: isLegacy ? 0 : 1,
      ...(isLegacy ? { subsystemVendorId: VENDOR, subsystemId: id } : {}),
      interruptPin: 1,
    },
    bars: [
      ...(isLegacy ? [{ index: 0, region: 0, space: 'io', size: legacyBytes } as const] : []),
      ...(isModern
        ? [{ index: MODERN_BAR, space: 'memory', size: modernBytes, width: 64, prefetchable: true } as const]
        : []),
    ],
    regions: structures.map((structure) => regionOf(structure, legacyBytes, notifyBytes)),
    capabilities,
  };
  const window = isModern
    ? placeCapabilities(capabilities)[capabilities.indexOf(WINDOW_CAPABILITY)]!.offset
    : undefined;
  return { structures, shape, vectors, notifyMultiplier, isModern, setup, window };
}

/** virtio_pci_device_plugged: the registers with the vectors' and the device's own, a power of two. */
const legacySize = (configBytes: number, hasMsix: boolean): number =>
  2 ** Math.ceil(Math.log2((hasMsix ? LEGACY.deviceConfigWithMsix : LEGACY.deviceConfig) + configBytes));

function regionOf(structure: Structure, legacyBytes: number, notifyBytes: number): Region {
  const access = { minAccess: 1, maxAccess: 4 } as const;
  if (structure === 'legacy') return { name: 'virtio-pci', space: 'io', length: legacyBytes, ...access };
  const order = MODERN_ORDER.indexOf(structure);
  return {
    name: `virtio-pci-${structure}`,
    space: 'memory',
    length: structure === 'notify' ? notifyBytes : STRUCTURE_BYTES,
    bar: { index: MODERN_BAR, offset: order * STRUCTURE_BYTES },
    ...access,
  };
}

const MODERN_ORDER: readonly Structure[] = ['common', 'isr', 'device', 'notify'];

/** struct virtio_pci_cap behind its two bytes of the list: length, type, BAR, id, offset, length. */
function structureCapability(type: number, offset: number, length: number, more: readonly number[]): Capability {
  const size = 16 + more.length;
  const bytes = [size, type, MODERN_BAR, 0, 0, 0, ...words(offset), ...words(length), ...more];
  return vendor({ bytes: bytes.map((byte, at) => [2 + at, byte] as const), size });
}

const words = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

function modernCapabilities(notifyMultiplier: number, notifyBytes: number): Capability[] {
  const at = (structure: Structure): number => MODERN_ORDER.indexOf(structure) * STRUCTURE_BYTES;
  return [
    structureCapability(STRUCTURE.common, at('common'), STRUCTURE_BYTES, []),
    structureCapability(STRUCTURE.isr, at('isr'), STRUCTURE_BYTES, []),
    structureCapability(STRUCTURE.device, at('device'), STRUCTURE_BYTES, []),
    structureCapability(STRUCTURE.notify, at('notify'), notifyBytes, words(notifyMultiplier)),
    WINDOW_CAPABILITY,
  ];
}

/** Bytes of the window's capability: where its BAR, offset, length and data are. Virtio 1.1, 4.1.4.7. */
export const WINDOW = { bar: 4, offset: 8, length: 12, data: 16, bytes: 20 } as const;

const WINDOW_CAPABILITY = vendor({
  bytes: [
    [2, WINDOW.bytes],
    [3, STRUCTURE.window],
  ],
  writable: [WINDOW.bar, ...Array.from({ length: 12 }, (_, at) => WINDOW.offset + at)].map((at) => [at, 0xff] as const),
  size: WINDOW.bytes,
});

/** Whether a function raises interrupts by MSI-X. */
export function usesMsix({ shape }: VirtioLayout, state: PciFunctionState): boolean {
  const row = capabilityOf(placeCapabilities(shape.capabilities ?? []), 'msix');
  return row !== undefined && isMsixOn(state, row);
}
