import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onOneLine, PrintableConsole, printable } from '../../src/base/printable.ts';

describe('what a terminal obeys is printed as what it is', () => {
  test.each([
    ['\x1b[2J\x1b]0;owned\x07', '\\x1b[2J\\x1b]0;owned\\x07'],
    ['a\rb\bc\x7f', 'a\\x0db\\x08c\\u007f'],
    ['\x9b31m', '\\u009b31m'],
    ['user\u202egpj.exe', 'user\\u202egpj.exe'],
    ['\ud800 alone', '\\ud800 alone'],
    ['\u{e0041}', '\\udb40\\udc41'],
  ])('%j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test('while what is only shown stays: lines, tabs, letters of any script', () => {
    const text = 'a line\n\tof words, Привет, 你好, 🙂 \\x1b\n';
    expect(printable(text)).toBe(text);
    expect(onOneLine('a\nb\tc')).toBe('a\\nb\\tc');
  });

  test('nothing is left to escape, and JSON says what it said', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = printable(text);
        expect(printable(once)).toBe(once);
        expect(once).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
        expect(JSON.parse(printable(JSON.stringify({ text })))).toEqual({ text });
      }),
    );
  });
});

describe("a guest's console as text", () => {
  const shown = (...pieces: readonly number[][]): string => {
    const console = new PrintableConsole();
    return pieces.map((piece) => console.take(Uint8Array.from(piece))).join('') + console.end();
  };
  const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];

  test('lines end as lines, whatever pieces they come in', () => {
    expect(shown(bytes('one\r\ntwo\r'), bytes('\r\nthree'))).toBe('one\ntwo\nthree');
    expect(shown(bytes('50 %\r60 %\r\n'), bytes('\r'))).toBe('50 %\\x0d60 %\n\\x0d');
  });

  test('letters may come a byte at a time; what is no text is marked', () => {
    expect(shown(...bytes('Привет').map((byte) => [byte]))).toBe('Привет');
    expect(shown([0x41, 0xff, 0x42], [0xe2, 0x82])).toBe('A\ufffdB\ufffd');
    expect(shown(bytes('\x1b[0;32mok'))).toBe('\\x1b[0;32mok');
  });
});
