import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { type Arrival, bytesOf, hexOf, idleLine, PACKET_SIZE, packetOf, receive } from '../../src/gdb/packet.ts';

const characters = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const bodies = (arrivals: readonly Arrival[]) =>
  arrivals.flatMap((each) => (each.kind === 'packet' ? [each.body] : []));

/** Any text of characters 0..255. */
const anyBody = fc.uint8Array({ maxLength: 200 }).map((bytes) => String.fromCharCode(...bytes));

describe('packets of the remote protocol', () => {
  test('come out as they went in, wherever the line cut them', () => {
    fc.assert(
      fc.property(fc.array(anyBody, { maxLength: 5 }), fc.integer({ min: 1, max: 7 }), (sent, piece) => {
        const line = idleLine();
        const bytes = characters(sent.map(packetOf).join(''));
        const arrivals: Arrival[] = [];
        for (let at = 0; at < bytes.length; at += piece) arrivals.push(...receive(line, bytes.slice(at, at + piece)));
        expect(bodies(arrivals)).toEqual(sent);
      }),
    );
  });

  test('have the checksum the manual gives them', () => {
    expect(packetOf('OK')).toBe('$OK#9a');
    expect(packetOf('')).toBe('$#00');
    expect(packetOf('a}b')).toBe(`$a}]b#${(('a'.charCodeAt(0) + 0x7d + 0x5d + 'b'.charCodeAt(0)) & 255).toString(16)}`);
  });

  test('with a wrong checksum are malformed, and the next is understood', () => {
    const arrivals = receive(idleLine(), characters('$g#00$g#67'));
    expect(arrivals.map(({ kind }) => kind)).toEqual(['malformed', 'packet']);
  });

  test('that the next one cuts are malformed', () => {
    const arrivals = receive(idleLine(), characters('$m1234,$g#67'));
    expect(arrivals.map(({ kind }) => kind)).toEqual(['malformed', 'packet']);
  });

  test('longer than was agreed are malformed and held in bounded memory', () => {
    const line = idleLine();
    receive(line, characters('$'));
    for (let i = 0; i < 20; i += 1) expect(receive(line, new Uint8Array(PACKET_SIZE / 8).fill(0x41))).toEqual([]);
    expect((line.body ?? '').length).toBeLessThanOrEqual(PACKET_SIZE);
    expect(receive(line, characters('#00$g#67')).map(({ kind }) => kind)).toEqual(['malformed', 'packet']);
  });

  test('leave Ctrl-C between them, and take it for a byte inside', () => {
    expect(receive(idleLine(), characters('\x03$g#67\x03')).map(({ kind }) => kind)).toEqual([
      'interrupt',
      'packet',
      'interrupt',
    ]);
    expect(bodies(receive(idleLine(), characters(packetOf('a\x03b'))))).toEqual(['a\x03b']);
  });

  test('never make the line throw, whatever arrives', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void receive(idleLine(), bytes)));
  });

  test('carry bytes as pairs of digits', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(bytesOf(hexOf(bytes))).toEqual(bytes);
      }),
    );
    expect(bytesOf('0')).toBeUndefined();
    expect(bytesOf('zz')).toBeUndefined();
  });
});
