import { invariant } from '../../base/invariant.ts';
import * as L from '../state/layout.ts';
import { ASSIST_BY_SITE } from '../meanings/pseudo.ts';
import type { EngineMemory } from '../state/memory.ts';
import { type DecodedInstruction, decodeInstruction, RunDecoder } from './instruction.ts';
import { CODE_REACH, MODE, reachOf } from '../state/mode.ts';
import { writeRecord } from './record.ts';
import { type Choice, Choices } from './choices.ts';

const TABLE_BYTES = 4096 * 4;
const BLOCK_LIMIT = 96;
const LEAST_AHEAD = 2;
const CHUNK_SHIFT = 5;

/** The decoded code of one page of host memory in one mode. */
export interface CodePage {
  readonly hostPage: number;
  readonly mode: number;
  /** Engine address of 4096 record addresses, by page offset. */
  readonly table: number;
  readonly records: number[];
  /** Which 32-byte chunks hold decoded bytes. */
  readonly chunks: Uint8Array;
  /** Branch records waiting for a record at an offset of this page. */
  readonly pending: Map<number, number[]>;
  /** Instructions that begin here and end on another page, by offset. */
  readonly crossings: Map<number, { nextPage: number; record: number }>;
  /** Instructions to decode ahead: few where the guest keeps overwriting them, or one write could cost a hundred. */
  ahead: number;
}

/** What an assist's record stands for. */
export interface AssistSite {
  readonly name: string;
  readonly instruction: DecodedInstruction | undefined;
}

/** The assists of bytes that are no instruction. */
const NO_INSTRUCTION = { invalid: 'undefined', long: 'overlong' } as const;

const bitsOf = (mode: number) => ([16, 32, 64] as const)[mode & MODE.size] as 16 | 32 | 64;

/** Keeps decoded code by host page and mode, and forgets it when its bytes change. */
export class CodeCache {
  private readonly memory: EngineMemory;
  private readonly slots: ReadonlyMap<string, number>;
  private readonly choices: Choices;
  private readonly pages = new Map<number, CodePage[]>();
  /** Pages whose crossing instructions end on this page. */
  private readonly enders = new Map<number, Set<CodePage>>();
  private readonly sites = new Map<number, AssistSite>();
  private free = L.CODE_ARENA;
  private readonly onWatch: (hostPage: number) => void;
  private readonly onUnwatch: (hostPage: number) => void;
  private readonly onFlush: () => void;
  private readonly resumeSlot: number;
  private readonly gotoSlot: number;
  private readonly assistSlot: number;
  private readonly crossingSlot: number;
  private readonly checkSlot: number;
  /** Page offsets at which instructions are decoded behind a check for a debugger's breakpoint. */
  private readonly checked = new Uint8Array(4096);
  /** Taken branches to an instruction until it counts as hot; 0: as many as there can be. */
  heat = 0;
  /** Hears of pages whose decoded code is forgotten. */
  onForget: { forget(page: CodePage): void; forgetAll(): void } | undefined;
  /** Instructions decoded since the start, for statistics. */
  decoded = 0;
  /** Pages decoded, in whatever mode. */
  pagesDecoded = 0;

  constructor(
    memory: EngineMemory,
    slots: ReadonlyMap<string, number>,
    hooks: { onWatch: (hostPage: number) => void; onUnwatch: (hostPage: number) => void; onFlush: () => void },
  ) {
    this.memory = memory;
    this.slots = slots;
    this.choices = new Choices(slots);
    this.onWatch = hooks.onWatch;
    this.onUnwatch = hooks.onUnwatch;
    this.onFlush = hooks.onFlush;
    this.resumeSlot = this.slotOf('resume::');
    this.gotoSlot = this.slotOf('goto::');
    this.assistSlot = this.slotOf('assist::');
    this.crossingSlot = this.slotOf('crossing::');
    this.checkSlot = this.slotOf('check::');
  }

  private slotOf(key: string): number {
    const slot = this.slots.get(key);
    invariant(slot !== undefined, 'the handler exists', { key });
    return slot;
  }

  /** The page's decoded code in this mode, new if need be. */
  page(hostPage: number, mode: number): CodePage {
    let list = this.pages.get(hostPage);
    if (list === undefined) {
      list = [];
      this.pages.set(hostPage, list);
    }
    const known = list.find((page) => page.mode === mode);
    if (known !== undefined) return known;
    if (this.free + TABLE_BYTES + 4096 * L.RECORD > L.CODE_ARENA + L.CODE_ARENA_SIZE) {
      this.flush();
      return this.page(hostPage, mode);
    }
    this.pagesDecoded++;
    const table = this.free;
    this.free += TABLE_BYTES;
    this.memory.u32.fill(0, table >>> 2, (table + TABLE_BYTES) >>> 2);
    const page: CodePage = {
      hostPage,
      mode,
      table,
      records: [],
      chunks: new Uint8Array(4096 >>> CHUNK_SHIFT),
      pending: new Map(),
      crossings: new Map(),
      ahead: BLOCK_LIMIT,
    };
    list.push(page);
    return page;
  }

  /** Forget everything. No record may be running but those that return at once to a fresh lookup. */
  flush(): void {
    for (const hostPage of [...this.pages.keys(), ...this.enders.keys()]) this.onUnwatch(hostPage);
    this.onForget?.forgetAll();
    this.pages.clear();
    this.enders.clear();
    this.sites.clear();
    this.free = L.CODE_ARENA;
    this.onFlush();
  }

  /** Check for breakpoints at these page offsets too. */
  check(offsets: readonly number[]): void {
    if (offsets.every((offset) => this.checked[offset] === 1)) return;
    for (const offset of offsets) this.checked[offset] = 1;
    this.flush();
  }

  /** The record at `offset`, decoding a block from there when there is none. */
  record(page: CodePage, offset: number): number {
    const known = this.memory.u32[(page.table >>> 2) + offset] as number;
    return known !== 0 ? known : this.decodeBlock(page, offset);
  }

  /** Room for a whole block must exist before decoding starts; otherwise the caller flushes. */
  hasRoom(): boolean {
    return this.free + (2 * BLOCK_LIMIT + 4) * L.RECORD <= L.CODE_ARENA + L.CODE_ARENA_SIZE;
  }

  /** Bytes of the instruction a lookup found; 0 when that is not known yet. */
  lengthOf(record: number): number {
    const { view } = this.memory;
    const isCheck = view.getUint16(record + L.R_HANDLER, true) === this.checkSlot;
    return view.getUint8(record + (isCheck ? L.RECORD : 0) + L.R_LENGTH);
  }

  site(record: number): AssistSite {
    const site = this.sites.get(record);
    invariant(site !== undefined, 'an assist record has a site', { record });
    return site;
  }

  private decodeBlock(page: CodePage, start: number): number {
    this.onWatch(page.hostPage);
    const limit = (page.mode & MODE.bounded) === 0 ? page.ahead : 1;
    page.ahead = Math.min(BLOCK_LIMIT, page.ahead + 1);
    const base = L.HOST_MEMORY + page.hostPage * 4096;
    const bytes = this.memory.u8.subarray(base + start, base + Math.min(start + 15 * limit, 4096));
    const decoder = new RunDecoder(bytes, bitsOf(page.mode), start);
    try {
      return this.decodeWith(decoder, page, start, limit);
    } finally {
      decoder.free();
    }
  }

  private decodeWith(decoder: RunDecoder, page: CodePage, start: number, limit: number): number {
    let offset = start;
    const first = this.free;
    for (let count = 0; count < limit; count++) {
      if (offset >= 4096) {
        this.pseudo(page, offset, this.resumeSlot);
        return first;
      }
      const known = this.memory.u32[(page.table >>> 2) + offset] as number;
      if (known !== 0) {
        const at = this.pseudo(page, offset, this.gotoSlot);
        this.memory.view.setUint32(at + L.R_TARGET, known, true);
        return first;
      }
      const isChecked = this.checked[offset] === 1;
      if (isChecked) this.enter(page, offset, this.pseudo(page, offset, this.checkSlot));
      const d = decoder.next();
      if (d === 'more') {
        const at = this.pseudo(page, offset, this.crossingSlot);
        if (!isChecked) this.enter(page, offset, at);
        this.mark(page, offset, 4096 - offset);
        return first;
      }
      const at = this.allocate(page);
      if (!isChecked) this.enter(page, offset, at);
      this.decoded++;
      if (d === 'invalid' || d === 'long') {
        this.writeAssist(at, offset, NO_INSTRUCTION[d], undefined);
        this.mark(page, offset, Math.min(15, 4096 - offset));
        return first;
      }
      const { isLast } = this.writeInstruction(page, at, d, offset);
      this.mark(page, offset, d.length);
      if (isLast) return first;
      offset += d.length;
    }
    this.pseudo(page, offset, this.resumeSlot);
    return first;
  }

  private allocate(page: CodePage): number {
    const at = this.free;
    this.free += L.RECORD;
    page.records.push(at);
    return at;
  }

  private pseudo(page: CodePage, offset: number, slot: number): number {
    const at = this.allocate(page);
    this.memory.u8.fill(0, at, at + L.RECORD);
    this.memory.view.setUint16(at + L.R_HANDLER, slot, true);
    this.memory.view.setUint16(at + L.R_OFFSET, offset, true);
    this.memory.view.setUint16(at + L.R_NEXT, offset, true);
    this.memory.view.setUint32(at + L.R_PAGE, page.hostPage, true);
    return at;
  }

  private enter(page: CodePage, offset: number, record: number): void {
    this.memory.u32[(page.table >>> 2) + offset] = record;
    const waiting = page.pending.get(offset);
    if (waiting === undefined) return;
    for (const branch of waiting) this.memory.view.setUint32(branch + L.R_TARGET, record, true);
    page.pending.delete(offset);
  }

  private mark(page: CodePage, offset: number, length: number): void {
    for (let chunk = offset >>> CHUNK_SHIFT; chunk <= (Math.min(offset + length, 4096) - 1) >>> CHUNK_SHIFT; chunk++) {
      page.chunks[chunk] = 1;
    }
  }

  /** A copy of a record that leads back behind it, which its page forgets with it; 0: there is no room for one. */
  shadow(record: number, page: CodePage): number {
    if (!this.hasRoom()) return 0;
    const at = this.allocate(page);
    this.memory.u8.copyWithin(at, record, record + L.RECORD);
    const site = this.sites.get(record);
    if (site !== undefined) this.sites.set(at, site);
    const back = this.pseudo(page, this.memory.view.getUint16(record + L.R_NEXT, true), this.gotoSlot);
    this.memory.view.setUint32(back + L.R_TARGET, record + L.RECORD, true);
    return at;
  }
  /** The page a record of this mode is of. */
  pageOf(record: number, mode: number): CodePage | undefined {
    return this.pages.get(this.memory.u32[(record + L.R_PAGE) >>> 2] as number)?.find((page) => page.mode === mode);
  }

  private writeInstruction(page: CodePage, at: number, d: DecodedInstruction, offset: number): Choice {
    const choice = this.choices.of(d, page.mode);
    const { slot } = choice;
    if (slot === undefined) {
      writeRecord(this.memory, at, d, offset, this.assistSlot);
      this.writeAssist(at, offset, choice.assist, d);
      return choice;
    }
    writeRecord(this.memory, at, d, offset, slot);
    if (choice.fallsBack) this.sites.set(at, { name: d.mnemonic, instruction: d });
    this.memory.view.setUint32(at + L.R_PAGE, page.hostPage, true);
    this.memory.view.setUint16(at + L.R_HEAT, this.heat, true);
    const target = d.operands[0];
    if (target?.kind !== 'near' || (page.mode & MODE.bounded) !== 0) return choice;
    // What IP cuts may lead elsewhere from the same page.
    if (target.size === 2 && reachOf(page.mode) !== CODE_REACH.word) return choice;
    this.link(page, at, offset);
    return choice;
  }

  private writeAssist(at: number, offset: number, name: string, d: DecodedInstruction | undefined): void {
    const { view, u8 } = this.memory;
    if (d === undefined) {
      u8.fill(0, at, at + L.RECORD);
      view.setUint16(at + L.R_OFFSET, offset, true);
      view.setUint16(at + L.R_NEXT, offset, true);
    }
    view.setUint16(at + L.R_HANDLER, this.assistSlot, true);
    view.setUint32(at + L.R_TARGET, ASSIST_BY_SITE, true);
    this.sites.set(at, { name, instruction: d });
  }

  private link(page: CodePage, at: number, offset: number): void {
    const { view } = this.memory;
    const next = view.getUint16(at + L.R_NEXT, true);
    const target = next + Number(BigInt.asIntN(64, view.getBigUint64(at + L.R_IMM, true)));
    if (target < 0 || target >= 4096 || offset >= 4096) return;
    const known = this.memory.u32[(page.table >>> 2) + target] as number;
    if (known !== 0) {
      view.setUint32(at + L.R_TARGET, known, true);
      return;
    }
    const waiting = page.pending.get(target);
    if (waiting === undefined) page.pending.set(target, [at]);
    else waiting.push(at);
  }

  /** The record of the instruction at `offset` that continues on `nextPage`; 'invalid' instructions get #UD. */
  crossing(page: CodePage, offset: number, nextPage: number): number {
    const known = page.crossings.get(offset);
    if (known !== undefined && known.nextPage === nextPage) return known.record;
    const bits = bitsOf(page.mode);
    const { u8 } = this.memory;
    const bytes = new Uint8Array(15);
    const inFirst = Math.min(15, 4096 - offset);
    const first = L.HOST_MEMORY + page.hostPage * 4096 + offset;
    const second = L.HOST_MEMORY + nextPage * 4096;
    bytes.set(u8.subarray(first, first + inFirst));
    bytes.set(u8.subarray(second, second + 15 - inFirst), inFirst);
    const d = decodeInstruction(bytes, bits, BigInt(offset));
    const record = this.allocate(page);
    if (typeof d === 'string') {
      this.writeAssist(record, offset, NO_INSTRUCTION[d === 'long' ? d : 'invalid'], undefined);
    } else {
      this.writeInstruction(page, record, d, offset);
      // Its target may lie in the page, but its own end does not: never linked.
      const isBranch = d.operands[0]?.kind === 'near';
      if (isBranch) this.unlink(page, record);
      this.pseudo(page, offset + d.length, this.resumeSlot);
    }
    page.crossings.set(offset, { nextPage, record });
    this.onWatch(nextPage);
    const enders = this.enders.get(nextPage) ?? new Set();
    enders.add(page);
    this.enders.set(nextPage, enders);
    return record;
  }

  private unlink(page: CodePage, record: number): void {
    this.memory.view.setUint32(record + L.R_TARGET, 0, true);
    for (const [offset, waiting] of page.pending) {
      const at = waiting.indexOf(record);
      if (at >= 0) waiting.splice(at, 1);
      if (waiting.length === 0) page.pending.delete(offset);
    }
  }

  /** Bytes of a page change: forget what was decoded from them. Returns whether anything was. */
  written(hostPage: number, offset: number, length: number): boolean {
    const list = this.pages.get(hostPage) ?? [];
    let forgotten = false;
    for (const page of list) {
      let hit = false;
      for (let chunk = offset >>> CHUNK_SHIFT; chunk <= (offset + length - 1) >>> CHUNK_SHIFT; chunk++) {
        if (page.chunks[chunk] === 1) hit = true;
      }
      if (!hit) continue;
      this.forget(page);
      page.ahead = Math.max(LEAST_AHEAD, page.ahead >>> 1);
      forgotten = true;
    }
    const enders = offset < 15 ? this.enders.get(hostPage) : undefined;
    if (enders === undefined) return forgotten;
    for (const page of enders) this.forget(page);
    this.enders.delete(hostPage);
    return true;
  }

  /** Whole pages have other bytes now. */
  replaced(hostPages: readonly number[]): void {
    for (const page of hostPages) if (this.pages.has(page) || this.enders.has(page)) this.written(page, 0, 4096);
  }

  private forget(page: CodePage): void {
    const { view, u32 } = this.memory;
    this.onForget?.forget(page);
    for (const record of page.records) {
      view.setUint16(record + L.R_HANDLER, this.resumeSlot, true);
      this.sites.delete(record);
    }
    u32.fill(0, page.table >>> 2, (page.table + TABLE_BYTES) >>> 2);
    page.records.length = 0;
    page.chunks.fill(0);
    page.pending.clear();
    page.crossings.clear();
  }
}
