import type { Vantage } from '../look/vantage.ts';
import { VIEWS } from './catalog.ts';
import type { View } from './view.ts';

const BY_NAME: ReadonlyMap<string, View> = new Map(
  Object.entries(VIEWS).flatMap(([name, view]) => [name, ...(view.also ?? [])].map((each) => [each, view] as const)),
);

/** Every name of every view. */
export const VIEW_NAMES: readonly string[] = [...BY_NAME.keys()];

/** Name, with QEMU's `info` before it, and the words that follow: `x/4xg $rsp` has no blank between them. */
const LINE = /^\s*((?:info\s+)?[a-z][a-z0-9_-]*)\s*(.*?)\s*$/;

/** The answer to a line that asks for a view, in our words or QEMU's; undefined when it asks for none. */
export function answerView(from: Vantage, line: string): string | undefined {
  const [, name = '', words = ''] = LINE.exec(line) ?? [];
  return BY_NAME.get(name.replace(/\s+/, ' '))?.text(from, words);
}

/** The views as a list for people, names to this width. */
export const viewsHelp = (width: number): string[] =>
  Object.values(VIEWS).map(({ usage, help }) => `${usage.padEnd(width)}${help}`);
