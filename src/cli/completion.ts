import { UsageProblem } from '../options/usage.ts';
import type { SpokenCommand } from './spoken.ts';

const SHELLS: Readonly<Record<string, (commands: readonly SpokenCommand[]) => string>> = { bash, zsh, fish };

/** What a shell reads to complete our commands and options. Throws a UsageProblem for a shell we do not know. */
export function completion(shell: string, commands: readonly SpokenCommand[]): string {
  const made = Object.hasOwn(SHELLS, shell) ? SHELLS[shell]?.(commands) : undefined;
  if (made !== undefined) return made;
  throw new UsageProblem(`No completion for '${shell}'. There is one for ${Object.keys(SHELLS).join(', ')}.`);
}

const namesOf = ({ options }: SpokenCommand): string[] => options.flatMap(({ names }) => names);

function bash(commands: readonly SpokenCommand[]): string {
  const cases = commands.map((command) => `    ${command.name}) options='${namesOf(command).join(' ')}' ;;`);
  return `# retrovisor completion bash > ~/.local/share/bash-completion/completions/retrovisor
_retrovisor() {
  local word=\${COMP_WORDS[COMP_CWORD]} options=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help --help --version' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  if [ "\${COMP_WORDS[1]}" = completion ]; then
    COMPREPLY=($(compgen -W '${Object.keys(SHELLS).join(' ')}' -- "$word"))
  elif [ "\${word#-}" != "$word" ]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  else
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -F _retrovisor retrovisor`;
}

/** In single quotes, for all three shells. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** What comes before the first colon is what is completed. */
const described = (name: string, says: string): string => quoted(`${name.replaceAll(':', '\\:')}:${says}`);

function zsh(commands: readonly SpokenCommand[]): string {
  const listed = commands.map(({ name, says }) => `    ${described(name, says)}`);
  const cases = commands.map(({ name, options }) => {
    const lines = options.flatMap(({ names, says }) => names.map((each) => `      ${described(each, says)}`));
    return `    ${name}) options=(\n${lines.join('\n')}\n    ) ;;`;
  });
  return `#compdef retrovisor
# retrovisor completion zsh > "\${fpath[1]}/_retrovisor"
_retrovisor() {
  local -a commands options
  commands=(
${listed.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
  if [[ $words[2] == completion ]]; then
    compadd ${Object.keys(SHELLS).join(' ')}
  elif [[ $PREFIX == -* ]]; then
    _describe -o option options
  else
    _files
  fi
}
compdef _retrovisor retrovisor`;
}

/** QEMU's options have one dash and many letters: fish calls them old. */
function fish(commands: readonly SpokenCommand[]): string {
  const lines = commands.flatMap(({ name, says, options }) => [
    `complete -c retrovisor -n __fish_use_subcommand -f -a ${name} -d ${quoted(says)}`,
    ...options.map((option) => {
      const flags = option.names.map((each) => {
        if (each.startsWith('--')) return `-l ${each.slice(2)}`;
        return each.length === 2 ? `-s ${each.slice(1)}` : `-o ${each.slice(1)}`;
      });
      const value = option.argument === '' ? '' : ' -r';
      const when = quoted(`__fish_seen_subcommand_from ${name}`);
      return `complete -c retrovisor -n ${when} ${flags.join(' ')}${value} -d ${quoted(option.says)}`;
    }),
  ]);
  const shells = Object.keys(SHELLS).join(' ');
  return [
    '# retrovisor completion fish > ~/.config/fish/completions/retrovisor.fish',
    ...lines,
    `complete -c retrovisor -n '__fish_seen_subcommand_from completion' -f -a '${shells}'`,
  ].join('\n');
}
