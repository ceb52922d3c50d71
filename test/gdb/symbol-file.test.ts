import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { callFrames } from '../../src/debugger/symbols/call-frames.ts';
import { symbolFile } from '../../src/debugger/symbols/symbol-file.ts';
import { readSymbols } from '../../src/debugger/symbols/symbols.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { PLAIN_LANGUAGE, tool, without } from '../stepping-aside.ts';

const folder = scratchFolder();
const BASE = 0xffff_ffff_8100_0000n;
const SYMBOLS = [
  { name: 'later', address: BASE + 0x40n, size: 0n },
  { name: 'first', address: BASE, size: 0n },
  { name: 'interrupted', address: BASE + 0x80n, size: 0n },
  { name: 'variable', address: BASE + 0x1000n, size: 0n },
  { name: 'per_cpu', address: 0x1f00n, size: 0n },
];
const CODE = [{ start: BASE, end: BASE + 0x100n }];

/** ORC rows: distance from BASE, sp offset, bp offset, registers (bp in the high half), type. */
function tablesOf(rows: readonly (readonly [number, number, number, number, number])[]) {
  const start = BASE + 0x2000n;
  const addresses = new DataView(new ArrayBuffer(rows.length * 4));
  const entries = new DataView(new ArrayBuffer(rows.length * 6));
  for (const [index, [from, sp, bp, registers, type]] of rows.entries()) {
    addresses.setInt32(index * 4, from - 0x2000 - index * 4, true);
    entries.setInt16(index * 6, sp, true);
    entries.setInt16(index * 6 + 2, bp, true);
    entries.setUint8(index * 6 + 4, registers);
    entries.setUint8(index * 6 + 5, type);
  }
  return { addresses: { start, bytes: new Uint8Array(addresses.buffer) }, entries: new Uint8Array(entries.buffer) };
}

test('a symbol file holds every name at its address', () => {
  const read = readSymbols('kernel.sym', symbolFile(SYMBOLS, CODE));
  expect(read.count).toBe(SYMBOLS.length);
  for (const { name, address } of SYMBOLS) expect(read.addressOf(name)).toBe(address);
});

test('ORC rows become call frame information that readelf understands as meant', without(tool('readelf')), () => {
  const path = join(folder, 'frames.sym');
  const tables = tablesOf([
    [0x00, 8, 0, 0x05, 0],
    [0x01, 16, -16, 0x15, 0],
    [0x10, 16, -16, 0x14, 0],
    [0x40, 8, 0, 0x05, 0],
    [0x80, 0, 0, 0x05, 1],
    [0x90, 8, 0, 0x09, 0],
    [0xa0, 0, 0, 0x00, 0],
  ]);
  const functions = [...SYMBOLS].sort((a, b) => Number(a.address - b.address)).slice(1);
  writeFileSync(path, symbolFile(SYMBOLS, CODE, callFrames(tables, functions)));
  const options = { encoding: 'utf8', env: PLAIN_LANGUAGE } as const;
  const { stdout, stderr } = spawnSync('readelf', ['--debug-dump=frames-interp', path], options);
  expect(stderr).toBe('');
  const rows = [...stdout.matchAll(/^(f{8}8\w{7}) (\S+) +(.*)$/gm)].map(([, at, cfa, rest]) => [at, cfa, rest]);
  expect(rows.map(([, cfa]) => cfa)).toEqual(['rsp+8', 'rsp+16', 'rbp+16', 'rsp+8', 'rsp+0', 'exp', 'rsp+8']);
  expect(stdout.match(/FDE cie=\w+ pc=\w+/g)).toHaveLength(4);
  expect(stdout).toMatch(/"zS"/);
});
