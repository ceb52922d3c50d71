/** What a virtio network device does: QEMU's trace events of 7.2, and what it does not trace. */
export const VIRTIO_NET_EVENTS = {} as const;
