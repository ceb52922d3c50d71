/** The first line of an HTTP/1 message (RFC 9112) at the beginning of a segment, whatever its port. */
import type { Dissection } from './dissection.ts';
import type { Span } from './span.ts';
import { textIn } from './text.ts';

/** Most bytes of a line that are looked at. */
const LONGEST = 8192;
const REQUEST = /^([A-Z][A-Z-]{2,19}) (\S+) (HTTP\/1\.[01])$/;
const RESPONSE = /^(HTTP\/1\.[01]) (\d{3})(?: (.*))?$/;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

export function http(d: Dissection, span: Span): void {
  const first = span.u8(0);
  // Most segments are the middle of something.
  if (first < 0x41 || first > 0x5a) return;
  const bytes = span.bytes(0, LONGEST);
  const end = bytes.indexOf(LINE_FEED);
  if (end < 1) return;
  const line = textIn(span, 0, bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end);
  const [, method, uri, asked] = REQUEST.exec(line) ?? [];
  if (method !== undefined) {
    d.enter('http');
    d.add('http.request.method', method);
    d.add('http.request.uri', uri!);
    d.add('http.request.version', asked!);
    return;
  }
  const [, version, code, phrase = ''] = RESPONSE.exec(line) ?? [];
  if (version === undefined) return;
  d.enter('http');
  d.add('http.response.version', version);
  d.add('http.response.code', Number(code));
  d.add('http.response.phrase', phrase);
}
