import { hasFeature, type Words } from '../../devices/virtio/index.ts';

const bits = (...all: readonly number[]): number => all.reduce((sum, bit) => sum + 2 ** bit, 0);

/** Feature bits the kernel's half knows by itself. */
export const FEATURE = { mergeable: 15, notifyOnEmpty: 24, logAll: 26, ownHeader: 27, eventIdx: 29 } as const;

/**
 * What vhost-net of Linux 6.1 can do: mergeable buffers, notify on empty, a log of writes, headers of its own, indirect
 * descriptors, event indices; Virtio 1 and an IOMMU. VHOST_NET_FEATURES.
 */
export const VHOST_FEATURES: Words = [bits(15, 24, 26, 27, 28, 29), bits(0, 1)];

/** What QEMU hands to it of what a driver has accepted: kernel_feature_bits, without an IOMMU. */
export const HANDED: Words = [bits(3, 15, 24, 28, 29), bits(0, 2, 8, 25)];

export const has = (features: Words, bit: number): boolean => hasFeature({ features }, bit);
