import { Problem } from '../base/problem.ts';

/** A command line that cannot be understood: status 2, where other problems of the world give status 1. */
export class UsageProblem extends Problem {
  constructor(sentence: string) {
    super(sentence);
    this.name = 'UsageProblem';
  }
}
