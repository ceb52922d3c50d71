import { type CommaValue, commaValue, refuseOthers, wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** What `-smp` asks for. */
export interface ProcessorsAsked {
  readonly cpus: number;
  /** What of it has no effect, for a person to read. */
  readonly warnings: readonly string[];
}

const LEVELS = ['sockets', 'dies', 'cores', 'threads'] as const;

/** The counts of a hierarchy; 0: not said. */
type Hierarchy = Record<(typeof LEVELS)[number], number>;

const MOST_OF_A_LEVEL = 255;

/** `-smp N,sockets=,dies=,cores=,threads=,maxcpus=`, with QEMU's rules for what is not said. `most`: of processors. */
export function processorsAsked(text: string, most: number): ProcessorsAsked {
  const value = commaValue(text);
  refuseOthers('-smp', value, ['cpus', 'maxcpus', ...LEVELS]);
  const said = (key: string): number => {
    const given = value.properties.get(key);
    return given === undefined ? 0 : wholeNumber(`-smp ${text}`, given, 1, MOST_OF_A_LEVEL);
  };
  const given = value.name ?? value.properties.get('cpus');
  const wanted = given === undefined ? 0 : wholeNumber('-smp', given, 1, most);
  const asked = Object.fromEntries(LEVELS.map((level) => [level, said(level)])) as Hierarchy;
  const levels = completed(asked, said('maxcpus') || wanted);
  const product = LEVELS.reduce((all, level) => all * levels[level], 1);
  const atMost = said('maxcpus') || wanted || product;
  const cpus = wholeNumber('-smp', String(wanted || atMost), 1, most);
  if (product !== atMost || atMost < cpus) throw new UsageProblem(`-smp ${text}: ${misfit(levels, atMost, cpus)}`);
  return { cpus, warnings: withoutEffect(value, levels, atMost > cpus) };
}

/** What is not said, as QEMU 7.2 has it (hw/core/machine-smp.c): cores before sockets, sockets before threads. */
function completed({ sockets, dies, cores, threads }: Hierarchy, most: number): Hierarchy {
  const made: Hierarchy = { sockets, dies: dies || 1, cores, threads };
  if (most === 0) return { sockets: sockets || 1, dies: made.dies, cores: cores || 1, threads: threads || 1 };
  if (cores === 0) {
    made.sockets ||= 1;
    made.threads ||= 1;
    made.cores = Math.trunc(most / (made.sockets * made.dies * made.threads));
  } else if (sockets === 0) {
    made.threads ||= 1;
    made.sockets = Math.trunc(most / (made.dies * cores * made.threads));
  }
  if (threads === 0) made.threads ||= Math.trunc(most / (made.sockets * made.dies * made.cores));
  return made;
}

function misfit(levels: Hierarchy, atMost: number, cpus: number): string {
  if (atMost < cpus) return `maxcpus=${atMost} are fewer than ${cpus} processors.`;
  const product = LEVELS.map((level) => `${level} (${levels[level]})`).join(' * ');
  return `${product} are not the ${atMost} processors there are.`;
}

function withoutEffect({ properties }: CommaValue, levels: Hierarchy, isMore: boolean): string[] {
  const others = LEVELS.filter((level) => level !== 'cores' && properties.has(level) && levels[level] > 1);
  const named = others.map((level) => `${level}=`).join(' and ');
  const one = `The processors are cores of one socket: -smp ${named} ${others.length > 1 ? 'have' : 'has'} no effect.`;
  return [
    ...(others.length > 0 ? [one] : []),
    ...(isMore ? ['No processor is added later: -smp maxcpus= has no effect.'] : []),
  ];
}
