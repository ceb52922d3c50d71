import { Problem } from '../../base/problem.ts';

/** A trace that ends early: what it holds up to there was readable. The message says where and why. */
export class TraceDamage extends Problem {
  /** Events that could be read. */
  readonly eventsRead: number;

  constructor(sentence: string, eventsRead: number) {
    super(sentence);
    this.name = 'TraceDamage';
    this.eventsRead = eventsRead;
  }
}
