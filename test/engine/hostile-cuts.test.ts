import seedrandom from 'seedrandom';
import { expect, test } from 'vitest';
import type { GuestEngine } from '../../src/engine/index.ts';
import { type ExecutionControls, NO_CONTROLS } from '../../src/x86/guest.ts';
import { putQuad } from './long-mode.ts';
import { observe, type Subject } from './side-by-side.ts';

/** Streams per mode; RETROVISOR_STREAMS=2000 for a campaign. */
const STREAMS = Number(process.env['RETROVISOR_STREAMS'] ?? 10);
const SEED = process.env['RETROVISOR_SEED'] ?? 'cuts';
/** They end anywhere, lest later ticks hide a difference. */
const LEAST_TICKS = 20;
const MOST_TICKS = 300;
const HOST_BYTES = 1 << 20;

const MODES = ['real', 'protected', 'legacy paging', 'PAE', 'long', 'compatibility'] as const;
type Mode = (typeof MODES)[number];

/** Where everything lies; all of it can be reached by the guest. */
const AT = { gdt: 0x1000, idt: 0x2000, tss: 0x3000, code: 0x8f00, stack: 0xb000, tables: 0x20000, pt: 0x23000 };
const HANDLER_STEP = 0x10;

type Chance = () => number;
const pick = <T>(chance: Chance, from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T;
const below = (chance: Chance, limit: number): number => Math.floor(chance() * limit);

/** Instructions that touch what caches and cuts are about; 'modrm' and 'byte' are left to chance. */
const TEMPLATES: readonly (readonly (number | 'modrm' | 'byte')[])[] = [
  [0xf3, 0xa4],
  [0xf3, 0xaa],
  [0xf3, 0xa5],
  [0xf3, 0xab],
  [0xfd],
  [0xfc],
  [0xa4],
  [0xab],
  [0x89, 'modrm'],
  [0x8b, 'modrm'],
  [0x88, 'modrm'],
  [0x80, 'modrm', 'byte'],
  [0x83, 'modrm', 'byte'],
  [0x87, 'modrm'],
  [0x01, 'modrm'],
  [0x0f, 0xab, 'modrm'],
  [0x0f, 0xb1, 'modrm'],
  [0xff, 'modrm'],
  [0xfe, 'modrm'],
  [0x50],
  [0x58],
  [0x9c],
  [0x9d],
  [0x66, 0x9d],
  [0x68, 0x02, 0x03, 0x00, 0x00],
  [0x68, 0x02, 0x00, 0x01, 0x00],
  [0xeb, 'byte'],
  [0x75, 'byte'],
  [0xe2, 'byte'],
  [0xe8, 'byte', 0x00, 0x00, 0x00],
  [0xc3],
  [0xcf],
  [0x48, 0xcf],
  [0xcc],
  [0xcd, 'byte'],
  [0xf1],
  [0xfa],
  [0xfb],
  [0x8e, 0xd0],
  [0x8e, 'modrm'],
  [0x17],
  [0x0f, 0x20, 0xd8],
  [0x0f, 0x22, 0xd8],
  [0x0f, 0x20, 0xc0],
  [0x0f, 0x22, 0xc0],
  [0x0f, 0x22, 0xe0],
  [0x0f, 0x23, 'modrm'],
  [0x0f, 0x01, 0x38],
  [0x0f, 0xc7, 0xf0],
  [0x0f, 0xc7, 0xf9],
  [0x0f, 0x31],
  [0xf3, 0x90],
  [0x90],
  [0x0f, 0x0b],
  [0x0f, 0x05],
  [0x48, 0x0f, 0x07],
  [0x0f, 0x7f, 'modrm'],
  [0x0f, 0x11, 'modrm'],
  [0xd9, 'modrm'],
  [0xdd, 'modrm'],
  [0xa6],
  [0xf3, 0xa6],
  [0xf2, 0xae],
  [0x60],
  [0x61],
  [0xc8, 0x10, 0x00, 'byte'],
  [0xc9],
  [0x0f, 0x06],
];

function hostileCode(chance: Chance, length: number): number[] {
  const code: number[] = [];
  while (code.length < length) {
    if (chance() < 0.25) code.push(below(chance, 256));
    else {
      if (chance() < 0.2) code.push(pick(chance, [0x48, 0x66, 0x67, 0xf0, 0x2e, 0x36, 0x41]));
      const parts = pick(chance, TEMPLATES);
      for (const part of parts) code.push(part === 'byte' || part === 'modrm' ? below(chance, 256) : part);
    }
  }
  return code.slice(0, length);
}

/** An address that matters: in tables, code, stack, or at the border of a page. */
function interesting(chance: Chance): number {
  const ours = [AT.code, AT.code + 0x80, AT.stack, AT.pt, AT.pt + 8 * 9, AT.pt + 0x1000, AT.tables, 0x9000, 0x10000];
  const place = pick(chance, ours);
  return Math.max(0, place + pick(chance, [0, 0, 8, -1, -4, -8, below(chance, 64), 4096 - below(chance, 16)]));
}

function putDescriptors(engine: GuestEngine, mode: Mode, chance: Chance): void {
  const isLong = mode === 'long' || mode === 'compatibility';
  putQuad(engine, AT.gdt + 8, mode === 'long' ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn);
  putQuad(engine, AT.gdt + 16, 0x00cf93000000ffffn);
  putQuad(engine, AT.gdt + 24, 0x00cffb000000ffffn);
  putQuad(engine, AT.gdt + 32, 0x00cff3000000ffffn);
  putQuad(engine, AT.gdt + 40, 0x00af9b000000ffffn);
  const code = isLong ? 40n : 8n;
  for (let vector = 0; vector < 48; vector++) {
    const handler = AT.code + HANDLER_STEP * below(chance, 16);
    const gate = BigInt(handler) | (code << 16n) | (0xeen << 40n);
    if (mode === 'real') {
      engine.writeHost(4 * vector, Uint8Array.of(handler & 0xff, handler >>> 8, 0, 0));
    } else if (isLong) {
      putQuad(engine, AT.idt + 16 * vector, gate);
      putQuad(engine, AT.idt + 16 * vector + 8, 0n);
    } else putQuad(engine, AT.idt + 8 * vector, gate);
  }
  if (mode !== 'real') for (let at = 4; at < 0x60; at += 8) putQuad(engine, AT.tss + at, BigInt(AT.stack + 0x800));
}

/** Page tables whose own pages the guest can reach; the first megabyte is mapped by small pages. */
function putPaging(engine: GuestEngine, mode: Mode): void {
  const flags = 7n;
  if (mode === 'legacy paging') {
    const words = Uint32Array.from({ length: 1024 }, (_, page) => (page < 256 ? page * 4096 + 7 : 0));
    engine.writeHost(AT.pt, new Uint8Array(words.buffer));
    putQuad(engine, AT.tables, BigInt(AT.pt) | flags);
    return;
  }
  for (let page = 0; page < 256; page++) putQuad(engine, AT.pt + 8 * page, BigInt(page * 4096) | flags);
  putQuad(engine, AT.tables + 0x2000, BigInt(AT.pt) | flags);
  if (mode === 'PAE') {
    putQuad(engine, AT.tables, BigInt(AT.tables + 0x2000) | 1n);
    return;
  }
  putQuad(engine, AT.tables, BigInt(AT.tables + 0x1000) | flags);
  putQuad(engine, AT.tables + 0x1000, BigInt(AT.tables + 0x2000) | flags);
}

function putRegisters(engine: GuestEngine, mode: Mode, chance: Chance): void {
  const r = engine.registers(0);
  for (let i = 0; i < 16; i++) r.setGpr(i, BigInt(chance() < 0.7 ? interesting(chance) : below(chance, 64)));
  r.setGpr(4, BigInt(chance() < 0.8 ? AT.stack : interesting(chance)));
  r.rip = BigInt(AT.code);
  r.rflags = BigInt(2 | (chance() < 0.2 ? 0x100 : 0) | (chance() < 0.5 ? 0x200 : 0) | (chance() < 0.2 ? 0x400 : 0));
  if (chance() < 0.2) {
    r.setDr(0, BigInt(AT.code + below(chance, 64)));
    r.setDr(1, BigInt(interesting(chance)));
    r.setDr(7, BigInt(0x405 | pick(chance, [0, 0x300000, 0x100000, 0x700000])));
  }
  if (mode === 'real') {
    r.setSegment(1, { selector: 0, base: 0n, limit: 0xffff, access: 0x9b });
    return;
  }
  r.gdtr = { base: BigInt(AT.gdt), limit: 0x2f };
  r.idtr = { base: BigInt(AT.idt), limit: 0x2ff };
  r.setSegment(7, { selector: 0x30, base: BigInt(AT.tss), limit: 0x67, access: 0x8b });
  // Where the code segment ends is often somewhere in the code.
  const limit = chance() < 0.3 ? AT.code + 0x10 + below(chance, 0x180) : 0xffffffff;
  r.setSegment(1, { selector: mode === 'long' ? 40 : 8, base: 0n, limit, access: mode === 'long' ? 0xa09b : 0xc09b });
  for (const segment of [0, 2, 3, 4, 5]) {
    r.setSegment(segment, { selector: 16, base: 0n, limit: 0xffffffff, access: 0xc093 });
  }
  if (mode === 'protected') {
    r.cr4 = 0x600n;
    r.cr0 = 0x33n;
    return;
  }
  r.cr4 = mode === 'legacy paging' ? 0x610n : 0x620n;
  r.cr3 = BigInt(AT.tables);
  r.efer = mode === 'long' || mode === 'compatibility' ? 0xd01n : 0x800n;
  r.cr0 = chance() < 0.5 ? 0x80010033n : 0x80000033n;
}

/** Nothing exits but HLT and what always does. */
const CONTROLS: ExecutionControls = { ...NO_CONTROLS, primary: 1 << 7 };

function subjectOf(mode: Mode, seed: string): Subject {
  return {
    hostBytes: HOST_BYTES,
    ticks: LEAST_TICKS + below(seedrandom.alea(`${seed} ticks`), MOST_TICKS - LEAST_TICKS),
    controls: CONTROLS,
    prepare(engine) {
      const chance = seedrandom.alea(seed);
      putDescriptors(engine, mode, chance);
      if (mode !== 'real' && mode !== 'protected') putPaging(engine, mode);
      engine.writeHost(AT.code, Uint8Array.from(hostileCode(chance, 0x200)));
      putRegisters(engine, mode, chance);
    },
  };
}

test.each(MODES)(`hostile code (%s) sees no cuts and no dropped caches (SEED=${SEED}, ${STREAMS} streams)`, (mode) => {
  let ticks = 0;
  for (let stream = 0; stream < STREAMS; stream++) {
    const seed = `${SEED}.${mode}.${stream}`;
    const subject = subjectOf(mode, seed);
    const whole = observe(subject);
    ticks += whole.ticks;
    expect(observe(subject, { cut: () => 1 }), `${seed}: one tick at a time`).toEqual(whole);
    expect(observe(subject, { cut: () => 1, drops: () => true }), `${seed}: without caches`).toEqual(whole);
    const chance = seedrandom.alea(seed);
    const cut = (): number => 1 + below(chance, 60);
    expect(observe(subject, { cut, moves: () => chance() < 0.3 }), `${seed}: moved`).toEqual(whole);
  }
  // Code that stops at once would pass too.
  expect(ticks).toBeGreaterThan(STREAMS * 20);
});
