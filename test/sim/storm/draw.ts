import { CHANCE } from '../../../src/replay/sources/random.ts';

/** Chance by seed, one number after the other. */
export class Draw {
  private readonly seed: string;
  private readonly stream: string;
  private drawn = 0;

  constructor(seed: string, stream: string) {
    this.seed = seed;
    this.stream = stream;
  }

  /** 32 bits. */
  word(): number {
    this.drawn += 1;
    return CHANCE.int32(this.seed, this.stream, this.drawn) >>> 0;
  }

  /** From 0 up to but not including `count`. */
  below(count: number): number {
    return this.word() % count;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** True once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of these, each as often as its weight says. */
  weighed<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.below(list.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of list) {
      if (left < weight) return value;
      left -= weight;
    }
    throw new Error('Nothing to draw from.');
  }
}
