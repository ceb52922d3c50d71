import type { Draft } from '../../base/draft.ts';
/** The bytes of a function's configuration space. */
export interface ConfigSpace {
  /** 256 of them. */
  readonly config: readonly number[];
}

/** One byte of configuration space. */
export type ConfigByte = readonly [offset: number, value: number];

/** First and last configuration byte of a range. */
export type ConfigRange = readonly [first: number, last: number];

/** Little-endian bytes of configuration space, without side effects. */
export function getConfig(config: readonly number[], offset: number, size: number): number {
  let value = 0;
  for (let at = size - 1; at >= 0; at--) value = value * 256 + config[offset + at]!;
  return value;
}

/** Put bytes as the device itself would, read-only or not. */
export function putConfig(config: Draft<number[]>, offset: number, size: number, value: number): void {
  for (let at = 0; at < size; at++) config[offset + at] = Math.floor(value / 2 ** (8 * at)) & 0xff;
}
