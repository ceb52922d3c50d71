export {};

export const QEMU_EVENTS = {
} as const;
