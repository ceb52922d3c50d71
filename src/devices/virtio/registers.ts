/** Registers, structures and bits of virtio over PCI. Virtio 1.1, 2.1, 4.1; legacy: 4.1.4.8. */

/** Device status bits. Virtio 1.1, 2.1. */
export const STATUS = {
  acknowledge: 1,
  driver: 2,
  driverOk: 4,
  featuresOk: 8,
  needsReset: 0x40,
  failed: 0x80,
} as const;

/** Interrupt status bits. */
export const ISR = { queue: 1, config: 2 } as const;

/** Feature bits that belong to rings and transport. From 32 on they are in the high word. Virtio 1.1, 6. */
export const FEATURE = {
  notifyOnEmpty: 24,
  anyLayout: 27,
  indirect: 28,
  eventIdx: 29,
  badFeature: 30,
  version1: 32,
  ringReset: 40,
} as const;

/** As a bit of the low word: a request's parts need not be descriptors of their own. */
export const ANY_LAYOUT = 2 ** FEATURE.anyLayout;

/** No vector of MSI-X. */
export const NO_VECTOR = 0xffff;

/** Most queues a device may have, and most descriptors of one. */
export const MOST = { queues: 1024, descriptors: 1024 } as const;

/** Registers of the legacy interface, in I/O ports. The device's own follow at 20, or at 24 while MSI-X is on. */
export const LEGACY = {
  hostFeatures: 0,
  guestFeatures: 4,
  queuePfn: 8,
  queueSize: 12,
  queueSelect: 14,
  queueNotify: 16,
  status: 18,
  isr: 19,
  configVector: 20,
  queueVector: 22,
  deviceConfig: 20,
  deviceConfigWithMsix: 24,
} as const;

/** A legacy ring's page, and the alignment of its used ring. */
export const LEGACY_PAGE = 4096;

/** Registers of the common configuration structure. Virtio 1.1, 4.1.4.3; queue_reset: 1.2. */
export const COMMON = {
  deviceFeatureSelect: 0,
  deviceFeature: 4,
  driverFeatureSelect: 8,
  driverFeature: 12,
  configVector: 16,
  queueCount: 18,
  status: 20,
  configGeneration: 21,
  queueSelect: 22,
  queueSize: 24,
  queueVector: 26,
  queueEnable: 28,
  queueNotifyOffset: 30,
  queueDescLow: 32,
  queueDescHigh: 36,
  queueDriverLow: 40,
  queueDriverHigh: 44,
  queueDeviceLow: 48,
  queueDeviceHigh: 52,
  queueReset: 58,
} as const;

/** Types of the vendor capabilities that say where a structure lies. Virtio 1.1, 4.1.4. */
export const STRUCTURE = { common: 1, notify: 2, isr: 3, device: 4, window: 5 } as const;

/** Descriptors of a split ring. Virtio 1.1, 2.6.5. */
export const DESCRIPTOR = { bytes: 16, next: 1, write: 2, indirect: 4 } as const;

/** used.flags: the device wants no notification. Virtio 1.1, 2.6.8. */
export const NO_NOTIFY = 1;

/** avail.flags: the driver wants no interrupt. Virtio 1.1, 2.6.6. */
export const NO_INTERRUPT = 1;

/** Parts of a ring, in the order of their address registers. */
export const ADDRESS_PARTS = ['desc', 'driver', 'device'] as const;
