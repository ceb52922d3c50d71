type Primitive = string | number | bigint | boolean | undefined | null;

/**
 * A plain value that may be changed: what evolving a state is given. State types are read-only, so that whoever decides
 * cannot assign; only what takes a `Draft` can.
 */
export type Draft<T> = T extends Primitive ? T : { -readonly [K in keyof T]: Draft<T[K]> };
