import { type Command, Option } from 'commander';
import { asUsage } from '../options/usage.ts';
import { timeAsked } from '../base/virtual-time.ts';
import { wholeNumber } from '../options/qemu-values.ts';
import type { Outcome } from './outcome.ts';
import { shownWidth } from './shown-width.ts';
import type { Print } from './trace-commands.ts';

interface EventsOptions {
  readonly event?: string[];
  readonly from?: string;
  readonly to?: string;
  readonly source?: string;
  readonly containing?: string;
  readonly chain?: string;
  readonly if?: string;
  readonly inputs?: boolean;
  readonly columns?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly traceCmd?: boolean;
  readonly limit?: string;
}

const FURTHEST = Number.MAX_SAFE_INTEGER;
/** Of what an event led to: a timer that sets itself again leads to half a run. */
const CHAIN_SHOWN = 200;

const position = (option: string, text: string | undefined, usual: number): number =>
  text === undefined ? usual : wholeNumber(option, text, 0, FURTHEST);

const isMoment = (text: string | undefined): text is string => text?.startsWith('@') === true;

/** A place that is a tick. */
const tickOf = (option: string, text: string | undefined): number | undefined =>
  text === undefined || isMoment(text) ? undefined : wholeNumber(option, text, 0, FURTHEST);

/** A place that is a virtual time, as `@12.5ms`. */
const momentOf = (text: string | undefined): number | undefined =>
  isMoment(text) ? asUsage(() => timeAsked(text.slice(1))) : undefined;

/** A member that is there when it has a value. */
const given = <K extends string, V>(name: K, value: V | undefined): { readonly [N in K]?: V } =>
  (value === undefined ? {} : { [name]: value }) as { readonly [N in K]?: V };

async function events(path: string, options: EventsOptions, print: Print): Promise<number> {
  const filter = {
    ...given('fromTick', tickOf('--from', options.from)),
    ...given('toTick', tickOf('--to', options.to)),
    inputsOnly: options.inputs === true,
    ...given(
      'kinds',
      options.event?.flatMap((names) => names.split(',')),
    ),
    ...given('source', options.source),
    ...given('containing', options.containing),
    ...given('condition', options.if),
  };
  const form = {
    limit: position('--limit', options.limit, options.chain === undefined ? FURTHEST : CHAIN_SHOWN),
    ...given('as', options.traceCmd === true ? ('trace-cmd' as const) : formOf(options)),
    ...given('fromNs', momentOf(options.from)),
    ...given('toNs', momentOf(options.to)),
    ...given('columns', options.columns?.split(',')),
    ...given('width', shownWidth()),
    ...given('chain', options.chain === undefined ? undefined : eventNumber(options.chain)),
  };
  const { printEvents } = await import('./events-command.ts');
  return printEvents(path, filter, form, print);
}

/** `#N`, as events are printed, or `N`. */
const eventNumber = (text: string): number => wholeNumber('--chain', text.replace(/^#/, ''), 0, FURTHEST);

function formOf({ json, csv }: { readonly json?: boolean; readonly csv?: boolean }): 'json' | 'csv' | undefined {
  if (csv === true) return 'csv';
  return json === true ? 'json' : undefined;
}

/** What reads a trace's events and nothing else. */
export function addReadingEvents(program: Command, { print, done }: Outcome): void {
  program
    .command('events <file>')
    .description(
      'print a trace, a line an event: its number, its tick, who, what; of several machines by their one clock',
    )
    .option('-e, --event <name...>', 'only these events; * stands for anything')
    .option('--if <condition>', "only where it holds: 'exit_reason == EPT_VIOLATION && gpa >= 0xfec00000'")
    .option('--from <place>', 'from this tick, or virtual time: @12.5ms')
    .option('--to <place>', 'up to this tick, or virtual time')
    .option('--source <name>', 'only from this source: vcpu0, main-loop, timer ...')
    .option('--containing <text>', 'only events whose text contains this')
    .option('--chain <event>', 'only what led to this one (its number) and what it led to in turn, as a tree')
    .option('--inputs', 'only inputs: what the guest could not cause')
    .option('-n, --limit <count>', 'stop after so many')
    .option('--columns <names>', 'these columns: seq,tick,ns,source,name,text,cause,within, and any field')
    .option('--json', 'one JSON object per line, with the events it has for its cause and is within')
    .addOption(new Option('--csv', 'comma-separated values, with the names of the columns first').conflicts('json'))
    .addOption(new Option('--trace-cmd', 'lines as trace-cmd report prints them').conflicts(['json', 'csv', 'columns']))
    .action(async (file, options) => done(await events(file, options, print)));
  program
    .command('stat <file>')
    .description('VM exits by reason: how many, what the guest ran before, what handling took')
    .option(
      '--event <name>',
      'instead of vmexit: ioport, mmio, msr, cpuid, hypercall; disk: requests to drives; net: packets',
    )
    .option('--table <name>', 'instead: packets: exits, interrupts and copies for each packet of its network cards')
    .option('--if <condition>', "only those of which it holds: 'guest_rip >= 0xffffffff80000000'")
    .option('--key <name>', 'sorted by: sample, time, guest, name')
    .option('--vcpu <n>', 'of one processor')
    .option('--json', 'one JSON object per line')
    .addOption(new Option('--csv', 'comma-separated values').conflicts('json'))
    .action(async (file, options) => {
      const vcpu = options.vcpu === undefined ? undefined : wholeNumber('--vcpu', options.vcpu, 0, FURTHEST);
      const { printStatistics } = await import('./stat-command.ts');
      const { event, key, table } = options;
      const asked = {
        ...given('event', event),
        ...given('table', table),
        ...given('key', key),
        ...given('vcpu', vcpu),
        ...given('condition', options.if),
        ...given('as', formOf(options)),
      };
      done(printStatistics(file, asked, print));
    });
  program
    .command('console <file>')
    .description('what the guest printed, line by line; needs no image')
    .option('--device <name>', 'serial0 to serial3, or a device with a chardev; else the first that printed')
    .option('--ticks', 'before each line the tick of its first byte')
    .addOption(new Option('--times', 'before each line the virtual time of its first byte').conflicts('ticks'))
    .addOption(new Option('--raw', "the guest's bytes as they are").conflicts(['ticks', 'times']))
    .action(async (file, { device, ticks, times, raw }) => {
      const { printConsole } = await import('./console-command.ts');
      const before = ticks === true ? ('ticks' as const) : times === true ? ('times' as const) : undefined;
      done(printConsole(file, { raw: raw === true, ...given('device', device), ...given('before', before) }, print));
    });
}
