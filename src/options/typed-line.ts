/** `--type`: what is typed, and after which words of the guest's. */
import type { PlannedMachine } from '../runs/fabric/open-fabric.ts';
import type { TypedLine } from '../runs/machine/run-options.ts';
import { UsageProblem } from './usage.ts';

/** `after:WAIT:TEXT` or `TEXT`, which may say \n, \r, \t, \e, \:, \\ and \xHH. */
export function typedLine(value: string): TypedLine {
  const match = /^after:((?:[^:\\]|\\.)+):(.*)$/s.exec(value);
  if (match !== null) return { after: unescaped(match[1] as string), text: unescaped(match[2] as string) };
  if (!value.startsWith('after:')) return { after: '', text: unescaped(value) };
  throw new UsageProblem(`--type ${value}: write after:WAIT:TEXT, like --type 'after:/ # :poweroff -f\\n'.`);
}

/** `MACHINE=` and what `--type` takes: lines for one of these machines each, behind those it has. */
export function typedAtMachines(values: readonly string[], machines: readonly PlannedMachine[]): PlannedMachine[] {
  const lines = values.map((value) => {
    const [, name = '', line = ''] = /^([A-Za-z][\w-]*)=(.*)$/s.exec(value) ?? [];
    if (machines.some((machine) => machine.name === name && machine.options.cpus > 0)) return { name, line };
    throw new UsageProblem(`--type ${value}: write MACHINE=TEXT or MACHINE=after:WAIT:TEXT, with one of the machines.`);
  });
  return machines.map((machine) => {
    const own = lines.filter(({ name }) => name === machine.name).map(({ line }) => typedLine(line));
    return { ...machine, options: { ...machine.options, typed: [...machine.options.typed, ...own] } };
  });
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', e: '\x1b' };

const unescaped = (text: string): string =>
  text.replace(/\\(x[0-9a-f]{2}|.)/gi, (_, code: string) =>
    /^x../i.test(code) ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code),
  );
