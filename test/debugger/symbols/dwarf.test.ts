import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { expressionValue } from '../../../src/debugger/symbols/dwarf/expression.ts';
import { type FrameEntry, frameEntries } from '../../../src/debugger/symbols/dwarf/frame-entries.ts';
import { rulesAt } from '../../../src/debugger/symbols/dwarf/frame-rules.ts';
import { lineTable } from '../../../src/debugger/symbols/dwarf/lines.ts';
import { readElf, sectionNamed } from '../../../src/debugger/symbols/elf.ts';
import { readSymbols } from '../../../src/debugger/symbols/symbols.ts';
import { firstOf, IS_WHOLE } from '../../how-long.ts';
import { type Aside, tool, without } from '../../stepping-aside.ts';

const LIBC = '/lib/x86_64-linux-gnu/libc.so.6';
const NO_LIBC: Aside | undefined = existsSync(LIBC)
  ? undefined
  : { what: 'the C library', why: `It is not at ${LIBC}.`, kind: 'host' };

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-dwarf-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

/** Registers as readelf heads its columns, by DWARF's numbers. */
const COLUMNS = [
  'rax',
  'rdx',
  'rcx',
  'rbx',
  'rsi',
  'rdi',
  'rbp',
  'rsp',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
  'ra',
];

/** What readelf prints of the rules at an address. */
function printedRules(entry: FrameEntry, address: bigint, columns: readonly string[]): string[] {
  const { frame, registers } = rulesAt(entry, address);
  const cfa = frame === undefined ? '?' : 'expression' in frame ? 'exp' : `${COLUMNS[frame.register]}+${frame.offset}`;
  return [
    cfa,
    ...columns.map((column) => {
      const rule = registers.get(COLUMNS.indexOf(column));
      if (rule === undefined || rule.how === 'undefined') return 'u';
      if (rule.how === 'same') return 's';
      if (rule.how === 'at') return `c${rule.offset < 0n ? '' : '+'}${rule.offset}`;
      if (rule.how === 'register') return `r${rule.register} (${COLUMNS[rule.register]})`;
      return rule.how === 'at-expression' ? 'exp' : rule.how;
    }),
  ];
}

test("the rules of the C library's frames are those readelf prints", without(tool('readelf'), NO_LIBC), () => {
  // It has complaints about other things in there.
  const dump = spawnSync('readelf', ['--debug-dump=frames-interp', LIBC], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  }).stdout;
  const section = sectionNamed(readElf('libc', bytesOf(LIBC)), '.eh_frame')!;
  const entries = frameEntries({ bytes: section.bytes, address: section.address, isEh: true, addressSize: 8 });
  const byStart = new Map(entries.map((entry) => [entry.start, entry]));
  const blocks = dump.split('\n\n').filter((_, at) => IS_WHOLE || at % 7 === 0);
  const wrong: unknown[] = [];
  let rows = 0;
  for (const block of blocks) {
    const [, from, to] = / FDE .* pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(block) ?? [];
    const entry = byStart.get(BigInt(`0x${from ?? '0'}`));
    if (from === undefined || to === undefined) continue;
    if (entry?.end !== BigInt(`0x${to}`)) wrong.push({ from, to, entry });
    const columns = /LOC +CFA +(.*)/.exec(block)?.[1]?.trim().split(/\s+/) ?? [];
    for (const [, location, rest = ''] of block.matchAll(/^([0-9a-f]{16}) (\S.*)$/gm)) {
      if (columns.length === 0) continue;
      const expected = rest.trim().split(/\s+/);
      const seen = printedRules(entry as FrameEntry, BigInt(`0x${location}`), columns);
      rows += 1;
      if (expected.join(' ') !== seen.join(' ')) wrong.push({ location, expected, seen });
    }
  }
  expect(wrong.slice(0, 3)).toEqual([]);
  expect(rows).toBeGreaterThan(1000);
  expect(entries.some(({ common }) => common.isSignal)).toBe(true);
});

const SOURCE = `static inline int twice(int n) { return 2 * n; }
int first(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++) sum += twice(i);
  return sum;
}
int second(int n) { return first(n)
  + first(n + 1); }
int main(void) { return second(3); }
`;

describe('the lines of addresses', without(tool('gcc'), tool('addr2line')), () => {
  test.each(firstOf(2, ['5', '2', '3', '4']))('are those addr2line tells, of DWARF %s', (version) => {
    const program = join(folder, `lines${version}`);
    writeFileSync(join(folder, 'lines.c'), SOURCE);
    const options = [`-gdwarf-${version}`, '-gstrict-dwarf', '-O0', '-no-pie', '-o', program, 'lines.c'];
    execFileSync('gcc', options, { cwd: folder });
    const table = readSymbols(program, bytesOf(program));
    const start = table.addressOf('first') as bigint;
    const addresses = Array.from({ length: 120 }, (_, at) => start + BigInt(at));
    const words = addresses.map((address) => `0x${address.toString(16)}`);
    const told = execFileSync('addr2line', ['-e', program, ...words], { encoding: 'utf8' })
      .trim()
      .split('\n');
    const theirs = told.map((line) => line.replace(/^.*\//, '').replace(/ .*$/, ''));
    const ours = addresses.map((address) => {
      const line = table.code?.lineAt(address);
      return line === undefined ? '??:?' : `${basename(line.file)}:${line.line}`;
    });
    expect(ours.filter((line) => line !== '??:?').length).toBeGreaterThan(40);
    expect(ours.map((line, at) => (theirs[at]?.startsWith('??') ? theirs[at] : line))).toEqual(theirs);
  });
});

describe('what is damaged', without(tool('gcc')), () => {
  const program = join(folder, 'damaged');
  const build = (): Uint8Array => {
    writeFileSync(join(folder, 'damaged.c'), SOURCE);
    execFileSync('gcc', ['-g', '-O1', '-no-pie', '-o', program, 'damaged.c'], { cwd: folder });
    return bytesOf(program);
  };

  test('ends lines and frames, and is never the end of the debugger', () => {
    const elf = readElf('damaged', build());
    const lines = sectionNamed(elf, '.debug_line')!.bytes;
    const frames = sectionNamed(elf, '.eh_frame')!;
    const about = { address: frames.address, isEh: true, addressSize: 8 };
    const look = (bytes: Uint8Array, framed: Uint8Array): void => {
      lineTable({ lines: bytes, addressSize: 8 }).lineAt(0x401000n);
      for (const entry of frameEntries({ bytes: framed, ...about })) {
        try {
          rulesAt(entry, entry.start + 3n);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }
    };
    for (let at = 0; at < (IS_WHOLE ? 400 : 80); at += 1) {
      look(lines.slice(0, at), frames.bytes.slice(0, at));
      const [one, other] = [lines.slice(), frames.bytes.slice()];
      one[(at * 7) % one.length] = 0xff;
      other[(at * 5) % other.length] = at % 256;
      look(one, other);
    }
  });
});

test.each([
  ['breg7 + 8', [0x77, 8], 0x1008n],
  ['a PLT entry', [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22], 0x1010n],
  ['what is in memory', [0x77, 0, 0x06], 0xabcn],
  ['a jump over', [0x31, 0x2f, 1, 0, 0x32, 0x33, 0x22], 4n],
  ['what never ends', [0x2f, 0xfd, 0xff], undefined],
  ['nothing', [], undefined],
  ['an unknown operation', [0xf0], undefined],
])('an expression of %s', (_, code, expected) => {
  const scope = {
    addressSize: 8,
    register: (number: number) => (number === 7 ? 0x1000n : 0x40100cn),
    memory: () => 0xabcn,
  };
  expect(expressionValue(Uint8Array.from(code), scope)).toBe(expected);
});
