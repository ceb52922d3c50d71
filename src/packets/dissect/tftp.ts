/** TFTP (RFC 1350) as far as it goes through port 69. */
import type { Dissection } from './dissection.ts';
import type { Span } from './span.ts';
import { terminated } from './text.ts';

const OPCODE = { read: 1, write: 2, data: 3, ack: 4, error: 5 } as const;

export function tftp(d: Dissection, span: Span): void {
  if (span.length < 2) d.spoilt('tftp', 'its header is cut off');
  d.enter('tftp');
  const opcode = span.u16(0);
  d.add('tftp.opcode', opcode);
  if (opcode === OPCODE.read || opcode === OPCODE.write) {
    const file = terminated(span, 2, span.length);
    d.add(opcode === OPCODE.read ? 'tftp.source_file' : 'tftp.destination_file', file);
    const at = span.bytes(2, span.length).indexOf(0);
    if (at < 0) d.spoilt('tftp', 'a name has no end');
    d.add('tftp.type', terminated(span, at + 3, span.length));
  } else if (opcode === OPCODE.data || opcode === OPCODE.ack) {
    if (span.length < 4) d.spoilt('tftp', 'its block is cut off');
    d.add('tftp.block', span.u16(2));
  } else if (opcode === OPCODE.error) {
    if (span.length < 4) d.spoilt('tftp', 'its code is cut off');
    d.add('tftp.error.code', span.u16(2));
    d.add('tftp.error.message', terminated(span, 4, span.length));
  }
}
