/** Kinds of access to memory. */
export const ACCESS = { read: 0, write: 1, readWrite: 2, execute: 3 } as const;

/**
 * Who wrote to memory: an instruction, the delivery of an event, the page walk (accessed and dirty bits), or KVM and
 * what lies behind it.
 */
export type Writer = 'instruction' | 'delivery' | 'walk' | 'outside';
