import { stripVTControlCharacters } from 'node:util';

/** A line typed once the guest has printed something. */
export interface Said {
  readonly after: string;
  readonly text: string;
}

/** What root is asked. */
export const PROMPT = 'root@retrovisor:~# ';

/** root logs in and runs these. */
export const loggedIn = (...commands: readonly string[]): Said[] => [
  { after: 'login: ', text: 'root' },
  ...commands.map((text) => ({ after: PROMPT, text })),
];

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll(':', '\\:');

/** The same as options of `retrovisor run`. */
export const typed = (session: readonly Said[]): string[] =>
  session.flatMap(({ after, text }) => ['--type', `after:${escaped(after)}:${escaped(text)}\\n`]);

/** What the kernel says comes between whatever others print. */
const KERNEL_LINE = /^\[ *\d+\.\d+\] /;

/** The lines that a command printed, without colours and what the kernel said meanwhile. */
export function answer(console: string, command: string): string[] {
  const text = stripVTControlCharacters(console).replaceAll('\r', '');
  const begins = text.indexOf(`${PROMPT}${command}\n`);
  if (begins < 0) throw new Error(`Nobody typed: ${command}`);
  const from = begins + PROMPT.length + command.length + 1;
  const lines = text.slice(from, text.indexOf(PROMPT, from)).split('\n');
  return lines.filter((line) => line.trim() !== '' && !KERNEL_LINE.test(line));
}
