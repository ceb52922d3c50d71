import { Dissection, Spoilt } from './dissection.ts';
import { ethernet } from './ethernet.ts';
import { Span } from './span.ts';

/** Longest part of a frame that is looked at: IPv6 with a jumbogram's first bytes. What counts is at the beginning. */
const MOST = 1 << 17;

/** Read an Ethernet frame without its check sequence, of any length and whatever it holds. Nothing is thrown. */
export function dissect(frame: Uint8Array): Dissection {
  const d = new Dissection();
  d.add('frame.len', frame.length);
  try {
    ethernet(d, new Span(frame, 0, MOST));
  } catch (error) {
    if (!(error instanceof Spoilt)) throw error;
  }
  return d;
}
