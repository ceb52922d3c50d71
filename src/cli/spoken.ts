import type { Command } from 'commander';

/** An option as people type it. */
export interface SpokenOption {
  /** `-kernel`, or `-n` and `--limit`. */
  readonly names: readonly string[];
  /** `<value>`; empty: none. */
  readonly argument: string;
  readonly says: string;
}

/** A command as people type it. */
export interface SpokenCommand {
  readonly name: string;
  /** `<file>`, `<files...>`. */
  readonly arguments: readonly string[];
  readonly says: string;
  readonly options: readonly SpokenOption[];
}

/** The same words as in `--help`. */
export function spokenOf(command: Command): SpokenCommand {
  const help = command.createHelp();
  return {
    name: command.name(),
    arguments: command.registeredArguments.map((each) => {
      const name = each.variadic ? `${each.name()}...` : each.name();
      return each.required ? `<${name}>` : `[${name}]`;
    }),
    says: command.description(),
    options: help.visibleOptions(command).map((option) => {
      const term = help.optionTerm(option);
      const [, argument = ''] = /([<[].*)$/.exec(term) ?? [];
      const names = term
        .slice(0, term.length - argument.length)
        .trim()
        .split(/,\s*/);
      return { names, argument, says: help.optionDescription(option) };
    }),
  };
}
