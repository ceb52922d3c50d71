import { Problem } from '../../base/problem.ts';
import { type GuestView, vcpuCount } from '../../machine/guest-view.ts';
import type { Vantage } from '../look/vantage.ts';

/** What can be seen of a machine that stands still: as plain values for programs, as text for people. */
export interface View {
  /** How it is asked for: its name and what may follow. */
  readonly usage: string;
  readonly help: string;
  /** Other names for it: QEMU's monitor's (`info registers`), gdb's. */
  readonly also?: readonly string[];
  /** Every processor has its own: another one's, or with `-a` all of them, can be asked for. */
  readonly ofEachVcpu?: boolean;
  /** What is seen: values that can be cloned, and nothing of the machine. Throws a Problem when it cannot be. */
  look(from: Vantage, words: string): unknown;
  /** The same in words. */
  text(from: Vantage, words: string): string;
}

/** How a view is written down. */
export interface ViewRow<Seen> extends Omit<View, 'look' | 'text'> {
  look(from: Vantage, words: string): Seen;
  print(seen: Seen): string;
}

/** A view of its row. */
export function viewOf<Seen>({ print, ...row }: ViewRow<Seen>): View {
  const text = (from: Vantage, words: string): string => print(row.look(from, words));
  if (row.ofEachVcpu !== true) return { ...row, text };
  return {
    ...row,
    text({ view, vcpu: asked, symbols }, words) {
      const chosen = chosenVcpus(view, asked, words);
      return chosen.map((vcpu) => text({ view, vcpu, symbols }, '')).join('\n\n');
    },
  };
}

/** `-a`: all; a number: that one; nothing: the one the question is about. */
function chosenVcpus(view: GuestView, vcpu: number, words: string): number[] {
  const count = vcpuCount(view);
  if (words === '') return [vcpu];
  if (words === '-a') return Array.from({ length: count }, (_, each) => each);
  const chosen = Number(words);
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < count) return [chosen];
  throw new Problem(`There is no CPU ${words}: 0 to ${count - 1}.`);
}

const MOST = 4096;

/** How many somebody wants. */
export function countOf(words: string, usual: number): number {
  if (words === '') return usual;
  const count = Number(words);
  if (Number.isInteger(count) && count > 0 && count <= MOST) return count;
  throw new Problem(`${words} is not a count from 1 to ${MOST}.`);
}
