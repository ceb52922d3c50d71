/** The last part of a path. */
export const fileName = (path: string): string => /([^/]*)\/*$/.exec(path)?.[1] ?? '';
