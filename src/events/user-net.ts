/** What user networking does: QEMU's libslirp, with the hosts of its world inside. */
export const USER_NET_EVENTS = {} as const;
