export {};

export const MMU_EVENTS = {
} as const;
