import { Problem } from '../base/problem.ts';

/** The status of a command line that cannot be understood. */
export const USAGE_STATUS = 2;

/** A command line that cannot be understood. Other problems of the world give status 1. */
export class UsageProblem extends Problem {
  constructor(sentence: string) {
    super(sentence);
    this.name = 'UsageProblem';
  }
}

/** Help was asked for: it is all the run comes to. */
export class OptionHelp extends Problem {
  constructor(text: string) {
    super(text);
    this.name = 'OptionHelp';
  }
}

/** What is wrong with what was asked for is wrong with the command line. */
export function asUsage<T>(understand: () => T): T {
  try {
    return understand();
  } catch (problem) {
    throw problem instanceof Problem ? new UsageProblem(problem.message) : problem;
  }
}
