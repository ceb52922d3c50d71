import { STATUSES } from './statuses.ts';
import type { SpokenCommand } from './spoken.ts';

/** A text as roff takes it: a dash is a dash, a backslash one, and no line begins with a dot. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');

const bold = (text: string): string => `\\fB${roff(text)}\\fR`;
const slanted = (text: string): string => `\\fI${roff(text)}\\fR`;

/** The manual page, retrovisor(1), made of the same table as `--help`. */
export function manual(commands: readonly SpokenCommand[], about: string, version: string): string {
  const sections = [
    `.TH RETROVISOR 1 "" "Retrovisor ${roff(version)}" "User Commands"`,
    '.SH NAME',
    'retrovisor \\- a hypervisor you can rewind',
    '.SH SYNOPSIS',
    ...commands.flatMap((command) => [...(command === commands[0] ? [] : ['.br']), synopsis(command)]),
    '.SH DESCRIPTION',
    roff(about),
    'Every VM exit, page\\-table update, timer, interrupt and ioctl is an event with its cause.',
    '.SH COMMANDS',
    ...commands.flatMap(described),
    '.SH EXIT STATUS',
    ...STATUSES.flatMap(({ status, means }) => ['.TP', bold(status), roff(means)]),
    '.SH ENVIRONMENT',
    ...VARIABLES.flatMap(([name, means]) => ['.TP', bold(name), roff(means)]),
    '.SH FILES',
    ...FILES.flatMap(([name, means]) => ['.TP', slanted(name), roff(means)]),
    '.SH SEE ALSO',
    `${bold('qemu-system-x86_64')}(1), ${bold('gdb')}(1), ${bold('trace-cmd-report')}(1)`,
  ];
  return `${sections.join('\n')}\n`;
}

const synopsis = ({ name, arguments: args, options }: SpokenCommand): string =>
  [bold(`retrovisor ${name}`), ...(options.length === 0 ? [] : ['[options]']), ...args.map(slanted)].join(' ');

function described(command: SpokenCommand): string[] {
  const options = command.options.flatMap(({ names, argument, says }) => [
    '.TP',
    `${names.map(bold).join(', ')}${argument === '' ? '' : ` ${slanted(argument)}`}`,
    roff(says),
  ]);
  return [`.SS ${roff([command.name, ...command.arguments].join(' '))}`, roff(command.says), ...options];
}

const VARIABLES: readonly (readonly [string, string])[] = [
  ['NO_COLOR', 'Set and not empty: nothing is coloured.'],
  ['RETROVISOR_PAGER, PAGER', 'What shows long output on a terminal, if not less; "cat" or nothing for none.'],
  ['COLUMNS', 'The width of lines, where the terminal does not tell.'],
];

const FILES: readonly (readonly [string, string])[] = [
  ['retrovisor.trace', 'Where a run is recorded, unless --trace says otherwise.'],
  ['TRACE.ckpt', 'Checkpoints beside a trace, left by index or run --checkpoints; a cache.'],
];
