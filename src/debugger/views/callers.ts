import { type NamedPlace, placeText } from '../look/vantage.ts';
import type { Vantage } from '../look/vantage.ts';
import { backtrace, type Frame } from '../symbols/backtrace.ts';
import type { SourceLine } from '../symbols/dwarf/lines.ts';
import { offsetName } from '../symbols/symbols.ts';
import { viewOf } from './view.ts';

type FrameSeen = NamedPlace & Pick<Frame, 'by' | 'isInterrupted'> & { readonly source?: SourceLine };

export const CALLERS = viewOf({
  usage: 'bt',
  help: 'who called whom; ? is a guess from the stack',
  also: ['where', 'backtrace'],
  look: (from) => backtrace(from.view, from.vcpu, from.symbols).map((frame) => frameSeen(from, frame)),
  print: (frames) => frames.map((frame, index) => `#${index}  ${frameText(frame)}`).join('\n'),
});

/** A call that never returns is the last of its function: what it would return to may be another one's. */
function frameSeen({ symbols }: Vantage, { address, by, isInterrupted }: Frame): FrameSeen {
  const isExact = by === 'here' || isInterrupted === true;
  const inside = isExact ? address : address - 1n;
  const symbol = symbols.symbolAt(inside);
  const source = symbols.code?.lineAt(inside);
  return {
    address,
    name: symbol === undefined ? undefined : offsetName(symbol, address),
    by,
    ...(isInterrupted === true ? { isInterrupted } : {}),
    ...(source === undefined ? {} : { source }),
  };
}

function frameText(frame: FrameSeen): string {
  const { source, by, isInterrupted } = frame;
  const line = source === undefined ? '' : ` at ${source.file}:${source.line}`;
  const note = by === 'guess' ? '  ?' : isInterrupted === true ? '  (interrupted)' : '';
  return `${placeText(frame)}${line}${note}`;
}
