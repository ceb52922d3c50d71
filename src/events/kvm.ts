export {};

export const KVM_EVENTS = {
} as const;
