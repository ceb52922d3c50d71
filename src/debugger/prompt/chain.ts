/** `chain`: what led to an event, and what it led to. */
import { labelsOf } from '../../base/labels.ts';
import { Problem } from '../../base/problem.ts';
import type { Work } from '../../base/work.ts';
import { Chain, MOST_CAUSES, pathTo } from '../../replay/export/chain.ts';
import { eventLine, widthsFor } from '../../replay/export/event-line.ts';
import { byClock } from '../../runs/fabric/by-clock.ts';
import { ChainAcross } from '../../runs/fabric/chain-across.ts';
import type { DebugSession, Neighbours } from '../session.ts';

const SHOWN = 100;
/** Events looked at between two looks at whether somebody wants to stop. */
const PIECE = 1 << 12;

/** `chain [#N]`: a line an event, indented below its cause; of several machines, over the links between them. */
export function* chain({ run: { events }, seq, neighbours }: DebugSession, words: string): Work<string> {
  const first = events[0]?.seq ?? 0;
  const asked = words === '' ? seq - 1 : Number(/^#?(\d+)$/.exec(words)?.[1] ?? Number.NaN);
  if (events[asked - first] === undefined) {
    throw new Problem(`Say which event: \`chain #N\`, from #${first} to #${first + events.length - 1}.`);
  }
  if (neighbours !== undefined) return yield* chainAmong(neighbours, asked);
  const path = pathTo(asked, (each) => events[each - first]?.cause);
  const tree = new Chain(path);
  const widths = widthsFor(events.length);
  const lines = before(path.length - 1);
  const begin = path[Math.max(0, path.length - 1 - MOST_CAUSES)]!;
  for (let at = begin - first; at < events.length; at += 1) {
    if (at % PIECE === 0) yield at / events.length;
    const depth = tree.depthOf(at + first, events[at]!.cause);
    if (depth === undefined) continue;
    if (lines.length >= SHOWN) return [...lines, MORE].join('\n');
    lines.push(eventLine(events[at]!, widths, depth));
  }
  return lines.join('\n');
}

const MORE = '(and more)';

const before = (causes: number): string[] => (causes > MOST_CAUSES ? [`(${causes - MOST_CAUSES} causes before)`] : []);

function* chainAmong({ runs, passages, names, own }: Neighbours, seq: number): Work<string> {
  const all = runs.map(({ events }) => events);
  const tree = new ChainAcross(all, passages, { machine: own, seq });
  const labels = labelsOf(names);
  const widths = widthsFor(Math.max(...all.map(({ length }) => length)));
  const lines = before(tree.causes);
  let looked = 0;
  for (const { machine, stamped } of byClock(runs.map(({ events, machine: pace }) => ({ events, pace })))) {
    looked += 1;
    if (looked % PIECE === 0) yield stamped.seq / all[machine]!.length;
    const depth = tree.depthOf(machine, stamped);
    if (depth === undefined) continue;
    if (lines.length >= SHOWN) return [...lines, MORE].join('\n');
    lines.push(`${labels[machine]}${eventLine(stamped, widths, depth)}`);
  }
  return lines.join('\n');
}
