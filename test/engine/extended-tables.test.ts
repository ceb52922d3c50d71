import seedrandom from 'seedrandom';
import { expect, test } from 'vitest';
import type { CacheFills, GuestEngine } from '../../src/engine/index.ts';
import { NO_CONTROLS } from '../../src/x86/guest.ts';
import { EPT_ACCESSED, EPT_DIRTY, EPT_POOL_BASE, eptIndex, eptWord } from '../../src/memory/ept-pool.ts';
import { HOST_PHYSICAL_BASE } from '../../src/memory/host-physical.ts';
import {
  AT,
  engineWith,
  enterLongMode,
  HLT,
  LINEAR,
  NO_EVENT,
  putFlatSegments,
  putQuad,
  putTables,
  SLOT_BYTES,
} from './long-mode.ts';
import { LONG } from '../how-long.ts';

const DATA = LINEAR + BigInt(AT.data);
const [RAX, RBX] = [0, 3];
const EPT_VIOLATION = 48;

/** Extended page tables in pool pages from `first` on: guest-physical 0 to 2 MiB lies at `host` of host memory. */
function putExtendedTables(engine: GuestEngine, first: number, host: number): bigint {
  const at = (page: number): number => EPT_POOL_BASE + page * 4096;
  const put = (page: number, value: number): void => {
    const word = eptWord(at(page), 0);
    engine.eptWords[word] = value % 2 ** 32;
    engine.eptWords[word + 1] = Math.floor(value / 2 ** 32);
  };
  put(first, at(first + 1) + 7);
  put(first + 1, at(first + 2) + 7);
  put(first + 2, HOST_PHYSICAL_BASE + host + 0xb7);
  return BigInt(at(first)) | 0x1en;
}

test('a 32-bit walk sets an accessed bit where a 64-bit entry has a part of its address', () => {
  const engine = engineWith({ hostBytes: 2 * SLOT_BYTES });
  engine.addVcpu();
  engine.addVcpu();
  // 2 MiB from 0 and from 4 GiB on.
  const eptPointer = putExtendedTables(engine, 0, 0);
  const above = eptWord(EPT_POOL_BASE + 4096, eptIndex(2 ** 32, 3));
  engine.eptWords[above] = ((EPT_POOL_BASE + 3 * 4096) % 2 ** 32) | 7;
  engine.eptWords[above + 1] = Math.floor(EPT_POOL_BASE / 2 ** 32);
  engine.eptWords[eptWord(EPT_POOL_BASE + 3 * 4096, 0)] = SLOT_BYTES | 0xb7;
  engine.eptWords[eptWord(EPT_POOL_BASE + 3 * 4096, 0) + 1] = HOST_PHYSICAL_BASE / 2 ** 32;
  putTables(engine, 0);
  const entry = AT.data >> 12;
  putQuad(engine, AT.pt + 8 * entry, 0x1_0000_0007n);
  putQuad(engine, SLOT_BYTES, 0x77n);
  enterLongMode(engine, 0, [0x49, 0x8b, 0x06, 0x49, 0x8b, 0x06, 0xf4]);
  engine.setControls(0, { ...ENABLE_EPT, eptPointer });
  engine.registers(0).setGpr(14, DATA);
  engine.run(0, 1, NO_EVENT);
  expect(engine.registers(0).gpr(RAX)).toBe(0x77n);
  // MOV EAX,[EBX] by 32-bit paging: the page table is the same, an entry is the upper half of the other's.
  engine.setControls(1, { ...ENABLE_EPT, eptPointer });
  putQuad(engine, 0x8000, BigInt(AT.pt) | 7n);
  engine.writeHost(0x6000, Uint8Array.of(0x8b, 0x03, 0xf4));
  const r = engine.registers(1);
  putFlatSegments(engine, 1);
  r.cr3 = 0x8000n;
  r.cr0 = 0x80000033n;
  r.setGpr(RBX, BigInt((2 * entry + 1) * 4096));
  // The entries of the first pages name themselves and what lies above 4 GiB.
  r.rip = 0xc000n;
  expect(engine.run(1, 10, NO_EVENT).exit.reason).toBe(HLT);
  expect(engine.run(0, 10, NO_EVENT).exit.reason).toBe(EPT_VIOLATION);
});

const ENABLE_EPT = { ...NO_CONTROLS, primary: ((1 << 7) | (1 << 31)) >>> 0, secondary: 2 };

/** An engine whose memory has a slot for each of several roots, which lead a guest-physical address to its own slot. */
function underRoots(count: number): { engine: GuestEngine; pointers: readonly bigint[] } {
  const engine = engineWith({ hostBytes: count * SLOT_BYTES });
  engine.addVcpu();
  const pointers = Array.from({ length: count }, (_, which) => {
    const host = which * SLOT_BYTES;
    // The tables name guest-physical addresses, which are the same in all.
    for (const [from, to] of [
      [AT.pml4, AT.pdpt],
      [AT.pd, AT.pt],
    ] as const) {
      putQuad(engine, host + from, BigInt(to) | 7n);
    }
    putQuad(engine, host + AT.pdpt + 8 * Number((LINEAR >> 30n) & 511n), BigInt(AT.pd) | 7n);
    for (let page = 0; page < 512; page++) putQuad(engine, host + AT.pt + 8 * page, BigInt(page * 4096) | 7n);
    putQuad(engine, host + AT.data, BigInt(0x100 + which));
    engine.writeHost(host + AT.code, READ);
    return putExtendedTables(engine, 4 * which, host);
  });
  return { engine, pointers };
}

/** MOV RAX,[R14]; HLT. */
const READ = Uint8Array.of(0x49, 0x8b, 0x06, 0xf4);

/** What 64-bit code reads at DATA under a root. Nothing is written meanwhile, nor told to be another. */
function readUnder(engine: GuestEngine, eptPointer: bigint, cr3: bigint): bigint {
  enterLongMode(engine, 0, []);
  engine.registers(0).cr3 |= cr3;
  engine.setControls(0, { ...ENABLE_EPT, eptPointer });
  engine.registers(0).setGpr(14, DATA);
  expect(engine.run(0, 10, NO_EVENT).exit.reason).toBe(HLT);
  return engine.registers(0).gpr(RAX);
}

test('one linear address under two EPT pointers is two places', () => {
  const { engine, pointers } = underRoots(2);
  const seen = [0, 1, 0, 1].map((which) => readUnder(engine, pointers[which] as bigint, 0n));
  expect(seen).toEqual([0x100n, 0x101n, 0x100n, 0x101n]);
});

/** More roots than are remembered, more contexts than a tag can tell apart; caches dropped at some turns. */
function readThroughMany(drops: (turn: number) => boolean): { read: bigint[]; due: bigint[]; marks: number[] } {
  const { engine, pointers } = underRoots(11);
  const random = seedrandom.alea('roots');
  const read: bigint[] = [];
  const due: bigint[] = [];
  for (let turn = 0; turn < 2200; turn += 1) {
    // Bits of CR3 that mean nothing here make contexts of their own.
    const cr3 = BigInt(Math.floor(random() * 4096));
    const [one, other] = [0, 1].map(() => Math.floor(random() * pointers.length)) as [number, number];
    for (const which of [one, other]) {
      // Half with accessed and dirty flags.
      read.push(readUnder(engine, (pointers[which] as bigint) | (turn % 2 === 0 ? 0x40n : 0n), cr3));
      due.push(BigInt(0x100 + which));
      if (drops(read.length)) engine.dropCaches();
    }
  }
  return { read, due, marks: [...engine.eptWords] };
}

test('of many roots each has its own byte, whatever is dropped and however many contexts there were', LONG, () => {
  const undisturbed = readThroughMany(() => false);
  expect(undisturbed.read).toEqual(undisturbed.due);
  const dropped = readThroughMany((turn) => turn % 7 < 2);
  expect(dropped).toEqual(undisturbed);
});

test('back under a root, what was found through it is still known', () => {
  const { engine, pointers } = underRoots(2);
  const fills = [0, 1, 0, 1].map((which): CacheFills => {
    readUnder(engine, pointers[which] as bigint, 0n);
    // The TLB is empty then, so that every page is asked for again.
    for (const region of engine.regions) region.takeDirty();
    return engine.cacheFills;
  });
  const [first, second, ...later] = fills.map((at) => at.guestPages);
  expect(second).toBeGreaterThan(first as number);
  expect(later).toEqual([second, second]);
  engine.invalidateEpt();
  readUnder(engine, pointers[0] as bigint, 0n);
  expect(engine.cacheFills.guestPages).toBeGreaterThan(second as number);
});

test('a translation for a debugger leaves no trace in extended page tables', () => {
  const engine = engineWith({ hostBytes: SLOT_BYTES });
  engine.addVcpu();
  const eptPointer = putExtendedTables(engine, 0, 0) | 0x40n;
  putTables(engine, 0);
  enterLongMode(engine, 0, [0xf4]);
  engine.setControls(0, { ...ENABLE_EPT, eptPointer });
  const entry = (): number => engine.eptWords[2 * 1024] as number;
  const untouched = entry();
  expect(engine.translate(0, DATA)?.gpa).toBe(AT.data);
  expect(entry()).toBe(untouched);
  expect(engine.run(0, 10, NO_EVENT).exit.reason).toBe(HLT);
  expect(entry()).toBe(untouched | EPT_ACCESSED | EPT_DIRTY);
});
