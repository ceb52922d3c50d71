/** `--type`: what is typed, and after which words of the guest's. */
import type { TypedLine } from '../runs/machine/run-options.ts';
import { UsageProblem } from './usage.ts';

/** `after:WAIT:TEXT` or `TEXT`, which may say \n, \r, \t, \e, \:, \\ and \xHH. */
export function typedLine(value: string): TypedLine {
  const match = /^after:((?:[^:\\]|\\.)+):(.*)$/s.exec(value);
  if (match !== null) return { after: unescaped(match[1] as string), text: unescaped(match[2] as string) };
  if (!value.startsWith('after:')) return { after: '', text: unescaped(value) };
  throw new UsageProblem(`--type ${value}: write after:WAIT:TEXT, like --type 'after:/ # :poweroff -f\\n'.`);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', e: '\x1b' };

const unescaped = (text: string): string =>
  text.replace(/\\(x[0-9a-f]{2}|.)/gi, (_, code: string) =>
    /^x../i.test(code) ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (ESCAPES[code] ?? code),
  );
