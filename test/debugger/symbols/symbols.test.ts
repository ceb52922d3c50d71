import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSymbols, symbolTable } from '../../../src/debugger/symbols/symbols.ts';
import { tool, without } from '../../stepping-aside.ts';

const text = (lines: string): Uint8Array => new TextEncoder().encode(lines);

describe('symbols', () => {
  test('of a System.map are found by name and by address, with an offset', () => {
    const table = readSymbols('System.map', text('ffffffff81000000 T _stext\nffffffff81000040 t helper\n'));
    expect(table.addressOf('helper')).toBe(0xffffffff81000040n);
    expect(table.nameOf(0xffffffff81000010n)).toBe('_stext+0x10');
    expect(table.nameOf(0x1000n)).toBeUndefined();
  });

  test('move with the base they were given, as KASLR moves a kernel', () => {
    const table = readSymbols('System.map', text('ffffffff81000000 T _stext\n'), 0x200000n);
    expect(table.addressOf('_stext')).toBe(0xffffffff81200000n);
  });

  test('with a size do not reach beyond it', () => {
    const table = symbolTable([{ name: 'f', address: 16n, size: 4n }]);
    expect(table.nameOf(19n)).toBe('f+0x3');
    expect(table.nameOf(20n)).toBeUndefined();
  });

  test('of an ELF file are those nm lists', without(tool('gcc'), tool('nm')), () => {
    const folder = mkdtempSync(join(tmpdir(), 'retrovisor-symbols-'));
    try {
      writeFileSync(join(folder, 'a.c'), 'int counter = 3; int add(int a) { return a + counter; }\n');
      execFileSync('gcc', ['-c', '-o', join(folder, 'a.o'), join(folder, 'a.c')]);
      const table = readSymbols('a.o', new Uint8Array(readFileSync(join(folder, 'a.o'))));
      const listed = execFileSync('nm', [join(folder, 'a.o')], { encoding: 'utf8' });
      for (const [, address, name] of listed.matchAll(/^([0-9a-f]+) [TD] (\w+)$/gm)) {
        expect(table.addressOf(name!)).toBe(BigInt(`0x${address}`));
      }
      expect(table.count).toBeGreaterThanOrEqual(2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('are missing from other files, which is a sentence', () => {
    expect(() => readSymbols('notes.txt', text('hello\n'))).toThrow('notes.txt holds no symbols');
    expect(() => readSymbols('cut.elf', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1))).toThrow('cut.elf is damaged');
  });
});
