/** What an 82540EM does: QEMU's trace events of 7.2, and what it does not trace. */
export const E1000_EVENTS = {} as const;
