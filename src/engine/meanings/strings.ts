import { unreachable } from '../../base/invariant.ts';
import type { MeaningBuilder, Size, V } from '../emit/builder.ts';
import * as L from '../state/layout.ts';
import { handlerKey } from './meaning.ts';
import { GPR, RFLAGS, SEG } from '../../x86/registers.ts';

type StringName = 'movs' | 'stos' | 'lods' | 'scas' | 'cmps';
type Repeat = 'one' | 'rep' | 'repne';

/** One string instruction: element size, address size, repeat prefix, and whether segments are checked. */
export interface StringForm {
  readonly name: StringName;
  readonly size: Size;
  readonly addressSize: Size;
  readonly repeat: Repeat;
  readonly flat: boolean;
}

export function stringKey(form: StringForm): string {
  return handlerKey(`str.${form.name}`, [form.size, form.addressSize], [form.repeat, form.flat ? 'f' : 'c']);
}

const { DF } = RFLAGS;
const { RAX, RCX, RSI, RDI } = GPR;

/**
 * String instructions, SDM Vol. 2 REP. One tick per iteration, whether done one by one or a page at a time;
 * registers are exact after every iteration, so a fault or the end of the budget leaves a restartable state.
 */
class StringMeaning {
  private readonly m: MeaningBuilder;
  private readonly form: StringForm;

  constructor(m: MeaningBuilder, form: StringForm) {
    this.m = m;
    this.form = form;
  }

  emit(): void {
    const { m, form } = this;
    if (form.repeat === 'one') {
      this.iteration();
      m.next();
      return;
    }
    m.if(m.eqz(this.counter()), () => m.returnNext());
    m.loop((again) => {
      const done = form.name === 'movs' || form.name === 'stos' ? this.bulk() : this.single();
      m.writeRegister(RCX, form.addressSize, this.cut(m.sub(this.counter(), this.asAddress(done))));
      if (form.name === 'scas' || form.name === 'cmps') {
        m.if(m.condition(form.repeat === 'rep' ? 'ne' : 'e'), () => m.returnNext());
      }
      m.if(m.eqz(this.counter()), () => m.returnNext());
      const ticks = m.instruction.ticks();
      m.if(m.eqz(ticks), () => m.instruction.again());
      m.instruction.setTicks(m.sub(ticks, m.i32(1)));
      again();
    });
    m.ended();
  }

  private counter(): V {
    return this.m.readRegister(RCX, this.form.addressSize);
  }
  private asAddress(value: V): V {
    return this.form.addressSize === 8 ? this.m.extendU(value) : value;
  }
  private cut(value: V): V {
    return this.form.addressSize === 2 ? this.m.zeroExtend(value, 2) : value;
  }
  private pointerRegister(index: number): V {
    return this.m.extendU(this.m.readRegister(index, this.form.addressSize));
  }
  private advance(index: number, bytes: V): void {
    const { m, form } = this;
    const moved = m.add(m.readRegister(index, form.addressSize), this.asAddress(bytes));
    m.writeRegister(index, form.addressSize, this.cut(moved));
  }
  /** i32: +size or -size by DF. */
  private step(): V {
    const { m, form } = this;
    const down = m.and(m.state32(L.FLAGS_REST), m.i32(DF));
    return m.select(down, m.i32(-form.size), m.i32(form.size));
  }
  private signedStep(step: V): V {
    return this.form.addressSize === 8 ? this.m.extendS(step) : step;
  }
  private source(): V {
    const { m, form } = this;
    return m.inSegment(this.pointerRegister(RSI), form.size, form.flat, false);
  }
  private destination(write: boolean): V {
    const { m, form } = this;
    const offset = this.pointerRegister(RDI);
    return form.flat ? offset : m.checkedLinear(m.i32(SEG.ES), offset, form.size, write);
  }
  private move(index: number, step: V): void {
    const { m, form } = this;
    const moved = m.add(m.readRegister(index, form.addressSize), this.signedStep(step));
    m.writeRegister(index, form.addressSize, this.cut(moved));
  }

  private single(): V {
    this.iteration();
    return this.m.i32(1);
  }
  private iteration(): void {
    const { m, form } = this;
    const { size } = form;
    const step = this.step();
    switch (form.name) {
      case 'movs':
        m.storeLinear(this.destination(true), size, m.loadLinear(this.source(), size));
        this.move(RSI, step);
        this.move(RDI, step);
        return;
      case 'stos':
        m.storeLinear(this.destination(true), size, m.readRegister(RAX, size));
        this.move(RDI, step);
        return;
      case 'lods':
        m.writeRegister(RAX, size, m.loadLinear(this.source(), size));
        this.move(RSI, step);
        return;
      case 'scas':
        m.subWithFlags(m.readRegister(RAX, size), m.loadLinear(this.destination(false), size), size);
        this.move(RDI, step);
        return;
      case 'cmps': {
        const left = m.loadLinear(this.source(), size);
        m.subWithFlags(left, m.loadLinear(this.destination(false), size), size);
        this.move(RSI, step);
        this.move(RDI, step);
        return;
      }
      default:
        unreachable(form.name);
    }
  }

  /** Elements that may be done at once: within the page(s), the count and the tick budget. */
  private room(pointers: readonly V[]): V {
    const { m, form } = this;
    const ticks = m.add(m.instruction.ticks(), m.i32(1));
    const least = m.variable('i32', m.select(m.ltU(ticks, m.i32(4096)), ticks, m.i32(4096)));
    const count = this.counter();
    const small = m.wrap(m.extendU(count));
    const fits = m.ltU(m.extendU(count), m.extendU(m.get(least)));
    m.set(least, m.select(fits, small, m.get(least)));
    const shift = Math.log2(form.size);
    for (const pointer of pointers) {
      const inPage = m.shrU(m.sub(m.i32(4096), m.and(pointer, m.i32(4095))), m.i32(shift));
      m.set(least, m.select(m.ltU(inPage, m.get(least)), inPage, m.get(least)));
      m.set(least, m.select(m.eq(pointer, m.i32(L.BOUNCE)), m.i32(1), m.get(least)));
    }
    const alone = m.or(m.and(m.state32(L.FLAGS_REST), m.i32(DF)), m.i32(form.flat ? 0 : 1));
    m.set(least, m.select(alone, m.i32(1), m.get(least)));
    const one = m.i32(1);
    return m.select(m.get(least), m.get(least), one);
  }

  private bulk(): V {
    return this.form.name === 'movs' ? this.bulkMove() : this.bulkStore();
  }

  private bulkMove(): V {
    const { m, form } = this;
    const { size } = form;
    const from = m.pointer(this.source(), size, 'read');
    const first = m.loadAt(from, size);
    const to = m.pointer(this.destination(true), size, 'write');
    const n = m.variable('i32', this.room([from, to]));
    const bytes = m.shl(m.get(n), m.i32(Math.log2(size)));
    // A destination inside the bytes still to be read must see the copy so far.
    m.if(m.ltU(m.sub(to, from), bytes), () => m.set(n, m.i32(1)));
    m.if(
      m.eq(m.get(n), m.i32(1)),
      () => {
        m.storeAt(to, size, first);
        m.commit(to);
        const step = this.step();
        this.move(RSI, step);
        this.move(RDI, step);
      },
      () => {
        m.effect([0xfc, 0x0a, 0, 0], [to, from, bytes]);
        // The first was read before the walk to its destination, which may have marked the entry it was read from.
        m.storeAt(to, size, first);
        this.advance(RSI, bytes);
        this.advance(RDI, bytes);
        this.spend(m.get(n));
      },
    );
    return m.get(n);
  }

  private bulkStore(): V {
    const { m, form } = this;
    const { size } = form;
    const value = m.readRegister(RAX, size);
    const to = m.pointer(this.destination(true), size, 'write');
    const n = this.room([to]);
    m.if(
      m.eq(n, m.i32(1)),
      () => {
        m.storeAt(to, size, value);
        m.commit(to);
        this.move(RDI, this.step());
      },
      () => {
        const bytes = m.shl(n, m.i32(Math.log2(size)));
        if (size === 1) m.effect([0xfc, 0x0b, 0], [to, value, bytes]);
        else this.fillElements(to, value, bytes);
        this.advance(RDI, bytes);
        this.spend(n);
      },
    );
    return n;
  }

  private fillElements(to: V, value: V, bytes: V): void {
    const { m, form } = this;
    m.if(
      m.eqz(value),
      () => m.effect([0xfc, 0x0b, 0], [to, m.i32(0), bytes]),
      () => {
        const at = m.variable('i32', to);
        const end = m.add(to, bytes);
        m.loop((again) => {
          m.storeAt(m.get(at), form.size, value);
          const next = m.add(m.get(at), m.i32(form.size));
          m.set(at, next);
          again(m.ltU(next, end));
        });
      },
    );
  }

  /** `n` iterations cost n ticks; the dispatcher took one. */
  private spend(n: V): void {
    const { m } = this;
    m.instruction.setTicks(m.sub(m.instruction.ticks(), m.sub(n, m.i32(1))));
  }
}

/** A string instruction in one form. */
export interface StringMeaningRow {
  readonly key: string;
  readonly emit: (m: MeaningBuilder) => void;
}

/** Every string instruction in every form. */
export function stringMeanings(): readonly StringMeaningRow[] {
  const rows: StringMeaningRow[] = [];
  for (const name of ['movs', 'stos', 'lods', 'scas', 'cmps'] as const) {
    const repeats: readonly Repeat[] = name === 'scas' || name === 'cmps' ? ['one', 'rep', 'repne'] : ['one', 'rep'];
    for (const size of [1, 2, 4, 8] as const) {
      for (const addressSize of [2, 4, 8] as const) {
        for (const repeat of repeats) {
          for (const flat of [true, false]) {
            const form = { name, size, addressSize, repeat, flat };
            rows.push({ key: stringKey(form), emit: (m) => new StringMeaning(m, form).emit() });
          }
        }
      }
    }
  }
  return rows;
}
