import { type NamedPlace, placeAt, placeText } from '../look/vantage.ts';
import { backtrace, type Frame } from '../symbols/backtrace.ts';
import { viewOf } from './view.ts';

type FrameSeen = NamedPlace & Pick<Frame, 'by'>;

const NOTES: Readonly<Partial<Record<Frame['by'], string>>> = { guess: '  ?', interrupted: '  (interrupted)' };

export const CALLERS = viewOf({
  usage: 'bt',
  help: 'who called whom; ? is a guess from the stack',
  also: ['where', 'backtrace'],
  look: (from): FrameSeen[] =>
    backtrace(from.view, from.vcpu, from.symbols).map(({ address, by }) => ({ ...placeAt(from, address), by })),
  print: (frames) => frames.map((frame, index) => `#${index}  ${placeText(frame)}${NOTES[frame.by] ?? ''}`).join('\n'),
});
