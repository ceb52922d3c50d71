import * as L from '../state/layout.ts';
import type { FunctionBuilder, V, Width } from '../wasm/function-builder.ts';
import type { Size } from './flag-builder.ts';
import type { InstructionReader, Ordinal, Tier } from './reader.ts';
import { ASSIST_HOT, FN, GLOBAL } from './shared.ts';

/**
 * Answers with loads from a micro-op record, the parameter of the function: a handler, which serves every instruction
 * of its kind. It returns the record to go on with, or 0.
 */
export class RecordReader implements InstructionReader {
  private readonly f: FunctionBuilder;
  private readonly record: V;

  constructor(f: FunctionBuilder) {
    this.f = f;
    this.record = f.param(0);
  }

  field(offset: number, width: 1 | 2 | 4): V {
    return this.f.load('i32', this.record, width, offset);
  }
  slot(ordinal: Ordinal): V {
    return this.field(L.R_REG[ordinal], 2);
  }
  immediate(size: Size): V {
    if (size === 8) return this.f.load('i64', this.record, 8, L.R_IMM);
    return this.field(L.R_IMM, size === 1 ? 1 : size === 2 ? 2 : 4);
  }
  base(): V {
    return this.field(L.R_BASE, 2);
  }
  index(): V {
    return this.field(L.R_INDEX, 2);
  }
  scale(): V {
    return this.field(L.R_SCALE, 1);
  }
  displacement(): V {
    return this.field(L.R_DISP, 4);
  }
  wrap(): V {
    return this.field(L.R_WRAP, 1);
  }
  segment(): V {
    return this.field(L.R_SEGMENT, 1);
  }
  segmentBase(): V {
    return this.field(L.R_SEGBASE, 2);
  }
  nextRip(): V {
    return this.ripAt(L.R_NEXT);
  }
  /** rip of the instruction itself. */
  ownRip(): V {
    return this.ripAt(L.R_OFFSET);
  }
  private ripAt(field: number): V {
    const sum = this.sumAt(field);
    return this.f.and(sum, this.f.load('i64', this.f.i32(0), 8, L.RIP_MASK));
  }
  private sumAt(field: number): V {
    const { f } = this;
    return f.add(f.load('i64', f.i32(0), 8, L.RIP_PAGE), f.extendU(this.field(field, 2)));
  }
  target(): V {
    const { f } = this;
    const next = this.sumAt(L.R_NEXT);
    const mask = f.select(this.field(L.R_CUT, 1), f.i64(0xffff), f.i64(0xffff_ffff));
    return f.and(f.add(next, f.load('i64', this.record, 8, L.R_IMM)), mask);
  }

  readSlot(slot: V, size: Size): V {
    return size === 8 ? this.f.load('i64', slot, 8) : this.f.load('i32', slot, size as 1 | 2 | 4);
  }
  writeSlot(slot: V, size: Size, value: V): void {
    if (size === 4) this.f.store(slot, this.f.extendU(value), 8);
    else this.f.store(slot, value, size as Width);
  }
  ticks(): V {
    return this.f.globalGet(GLOBAL.ticks, 'i32');
  }
  setTicks(ticks: V): void {
    this.f.globalSet(GLOBAL.ticks, ticks);
  }

  next(): void {
    this.f.result(this.following());
  }
  ended(): void {
    this.f.result(this.f.i32(0));
  }
  returnNext(): void {
    this.f.return(this.following());
  }
  private following(): V {
    return this.f.add(this.record, this.f.i32(L.RECORD));
  }
  takeBranch(): void {
    const { f } = this;
    const target = this.field(L.R_TARGET, 4);
    f.if(target, () => {
      countHeat(f, target);
      f.return(target);
    });
    f.return(f.call(FN.branch, [this.record], 'i32'));
  }
  takeBranchTo(rip: V): void {
    const target = this.field(L.R_TARGET, 4);
    this.f.if(target, () => {
      countHeat(this.f, target);
      this.f.return(target);
    });
    this.jump(rip);
  }
  jump(rip: V): void {
    this.f.return(this.f.call(FN.lookup, [rip], 'i32'));
  }
  again(): void {
    this.f.return(this.record);
  }
  stop(): void {
    this.f.return(this.f.i32(0));
  }
  assist(id: number): void {
    this.f.return(this.routine(this.f.i32(id)));
  }
  assistWithin(id: number): void {
    const next = this.routine(this.f.i32(id));
    this.f.if(this.f.eqz(next), () => this.stop());
  }
  /** Call a routine for this record: what to go on with. */
  routine(id: V): V {
    return this.f.call(FN.assist, [id, this.record], 'i32');
  }
}

/** A branch is taken to a record: when that has happened often enough, somebody else says what to go on with. */
export function countHeat(f: FunctionBuilder, record: V): void {
  const left = f.sub(f.load('i32', record, 2, L.R_HEAT), f.i32(1));
  f.store(record, left, 2, L.R_HEAT);
  f.if(f.eqz(left), () => f.return(f.call(FN.assist, [f.i32(ASSIST_HOT), record], 'i32')));
}

/** The handlers. */
export const HANDLERS: Tier<RecordReader> = {
  signature: { params: ['i32'], results: ['i32'] },
  reader: (f) => new RecordReader(f),
};
