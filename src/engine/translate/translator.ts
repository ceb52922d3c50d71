import type { CodePage } from '../code/cache.ts';
import * as L from '../state/layout.ts';
import { MODE } from '../state/mode.ts';
import type { EngineMemory } from '../state/memory.ts';
import type { FunctionBody } from '../wasm/module.ts';
import type { Records } from './blocks.ts';
import type { Form } from '../meanings/form.ts';
import { buildRegion, type Learnt, type Region } from './region.ts';
import { regionModule } from './region-module.ts';
import type { TierOptions } from './tier.ts';

/** What a translator works with. */
export interface TranslatorParts {
  readonly memory: EngineMemory;
  /** How many handlers there are, and what they do, by slot. */
  readonly slots: number;
  forms(): readonly (Form | undefined)[];
  /** Slot of the handler that only leads on. */
  readonly gotoSlot: number;
  /** Slots of the handlers' table: regions lie behind the handlers. */
  readonly tableSlots: number;
  readonly options: TierOptions;
  /** A copy of a record that leads back behind it; 0: there is no room. */
  shadow(record: number, page: CodePage): number;
  /** The page a record of code that is running now is of. */
  pageOf(record: number): CodePage | undefined;
  /** Put a module of regions into the handlers' table. */
  bind(binary: Uint8Array): void;
}

/** What was done, for who asks. */
export interface TierCounts {
  regions: number;
  instructions: number;
  bytes: number;
  modules: number;
  dropped: number;
  /** Modules WebAssembly would not have: after the first nothing more is translated. */
  refused: number;
}

/** What a region is entered by: its record, and the copy that does what the record did. */
interface Entry {
  readonly record: number;
  readonly shadow: number;
  readonly page: CodePage;
  readonly slot: number;
  /** Slot of what the record did. */
  readonly handler: number;
}

/** The second tier: translates code that is executed often, and forgets it when its bytes change. */
export class Translator {
  readonly counts: TierCounts = { regions: 0, instructions: 0, bytes: 0, modules: 0, dropped: 0, refused: 0 };
  private readonly parts: TranslatorParts;
  private readonly learnt: Learnt = { flags: new Map(), forks: new Set(), refused: new Set() };
  private readonly free: number[] = [];
  private nextSlot: number;
  /** By the record that is an entry. */
  private readonly entries = new Map<number, Entry>();
  private readonly byPage = new Map<CodePage, Entry[]>();
  /** Records that are hot, and the page of each. */
  private readonly waiting = new Map<number, CodePage>();
  private readonly records: Omit<Records, 'isLong'>;

  constructor(parts: TranslatorParts) {
    this.parts = parts;
    this.nextSlot = parts.slots;
    const { view } = parts.memory;
    this.records = {
      view,
      formAt: (record) => this.formAt(record),
      onward: (record) => this.onward(record),
      isCold: (record) => view.getUint16(record + L.R_HEAT, true) === parts.options.threshold,
    };
  }

  private slotOf(record: number): number {
    return this.entries.get(record)?.handler ?? this.parts.memory.view.getUint16(record + L.R_HANDLER, true);
  }
  private formAt(record: number): Form | undefined {
    const form = this.parts.forms()[this.slotOf(record)];
    return form === undefined || this.learnt.refused.has(form) ? undefined : form;
  }
  private onward(record: number): number {
    let at = record;
    while (this.slotOf(at) === this.parts.gotoSlot) at = this.parts.memory.view.getUint32(at + L.R_TARGET, true);
    return at;
  }
  private readonly original = (record: number): number => this.entries.get(record)?.shadow ?? record;

  /** Code at a record has become hot. Returns the record to go on with. */
  hot(record: number): number {
    const { options } = this.parts;
    if (options.threshold === 0 || this.counts.refused > 0 || this.entries.has(record)) return record;
    // Still hot after as much again: it waits no longer for company.
    const isAgain = this.waiting.has(record);
    const page = isAgain ? undefined : this.parts.pageOf(record);
    if (page !== undefined) {
      this.waiting.set(record, page);
      this.parts.memory.view.setUint16(record + L.R_HEAT, options.threshold, true);
    }
    if (isAgain || this.waiting.size >= options.batch) this.translate();
    return record;
  }

  private translate(): void {
    const bodies: FunctionBody[] = [];
    const made: Entry[] = [];
    for (const [record, page] of this.waiting) {
      const entry = this.entryAt(record, page);
      if (entry === undefined) continue;
      const region = this.regionAt(entry);
      if (region === undefined) {
        this.drop(entry);
        continue;
      }
      this.counts.instructions += region.instructions;
      bodies.push(region.body);
      made.push(entry);
    }
    this.waiting.clear();
    if (bodies.length > 0) this.install(bodies, made);
  }

  private regionAt({ record, page }: Entry): Region | undefined {
    const records = { ...this.records, isLong: (page.mode & MODE.size) === 2 };
    return buildRegion(records, record, this.original, this.learnt, this.parts.options.limit);
  }

  /** From now on the record counts as an entry, whose handler is elsewhere. */
  private entryAt(record: number, page: CodePage): Entry | undefined {
    const hasSlot = this.free.length > 0 || this.nextSlot < this.parts.tableSlots;
    if (!hasSlot || this.entries.has(record) || this.formAt(record) === undefined) return undefined;
    const handler = this.slotOf(record);
    const shadow = this.parts.shadow(record, page);
    if (shadow === 0) return undefined;
    const entry = { record, shadow, page, slot: this.free.pop() ?? this.nextSlot++, handler };
    this.entries.set(record, entry);
    return entry;
  }
  private drop({ record, slot }: Entry): void {
    this.entries.delete(record);
    this.free.push(slot);
  }

  private install(bodies: readonly FunctionBody[], made: readonly Entry[]): void {
    const slots = made.map(({ slot }) => slot);
    const binary = regionModule(bodies, slots, this.parts.tableSlots);
    if (!this.isBound(binary)) {
      for (const entry of made) this.drop(entry);
      return;
    }
    this.counts.modules += 1;
    this.counts.bytes += binary.length;
    this.counts.regions += made.length;
    for (const entry of made) {
      this.parts.memory.view.setUint16(entry.record + L.R_HANDLER, entry.slot, true);
      const list = this.byPage.get(entry.page);
      if (list === undefined) this.byPage.set(entry.page, [entry]);
      else list.push(entry);
    }
  }
  private isBound(binary: Uint8Array): boolean {
    try {
      this.parts.bind(binary);
      return true;
    } catch {
      // Memory runs short, say: the handlers can do it all.
      this.counts.refused += 1;
      return false;
    }
  }

  /** What was decoded of a page is not true any more. */
  forget(page: CodePage): void {
    const entries = this.byPage.get(page) ?? [];
    for (const entry of entries) this.drop(entry);
    this.counts.dropped += entries.length;
    this.byPage.delete(page);
    for (const [record, of] of this.waiting) if (of === page) this.waiting.delete(record);
  }

  /** No record is what it was. */
  forgetAll(): void {
    for (const page of [...this.byPage.keys()]) this.forget(page);
    this.entries.clear();
    this.waiting.clear();
  }
}
