/** For an option that may be given again: what it was given each time, in order. */
export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
