/** `chain`: what led to an event, and what it led to. */
import { Problem } from '../../base/problem.ts';
import type { Work } from '../../base/work.ts';
import { Chain, MOST_CAUSES, pathTo } from '../../replay/export/chain.ts';
import { eventLine, widthsFor } from '../../replay/export/event-line.ts';
import type { DebugSession } from '../session.ts';

const SHOWN = 100;
/** Events looked at between two looks at whether somebody wants to stop. */
const PIECE = 1 << 12;

/** `chain [#N]`: a line an event, indented below its cause. */
export function* chain({ run: { events }, seq }: DebugSession, words: string): Work<string> {
  const first = events[0]?.seq ?? 0;
  const asked = words === '' ? seq - 1 : Number(/^#?(\d+)$/.exec(words)?.[1] ?? Number.NaN);
  if (events[asked - first] === undefined) {
    throw new Problem(`Say which event: \`chain #N\`, from #${first} to #${first + events.length - 1}.`);
  }
  const path = pathTo(asked, (each) => events[each - first]?.cause);
  const tree = new Chain(path);
  const widths = widthsFor(events.length);
  const earlier = path.length - 1 - MOST_CAUSES;
  const lines = earlier > 0 ? [`(${earlier} causes before)`] : [];
  const begin = path[Math.max(0, earlier)]!;
  for (let at = begin - first; at < events.length; at += 1) {
    if (at % PIECE === 0) yield at / events.length;
    const depth = tree.depthOf(at + first, events[at]!.cause);
    if (depth === undefined) continue;
    if (lines.length >= SHOWN) return [...lines, '(and more)'].join('\n');
    lines.push(eventLine(events[at]!, widths, depth));
  }
  return lines.join('\n');
}
