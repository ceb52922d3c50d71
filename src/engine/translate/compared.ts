import type { Condition, MeaningBuilder, Size, V } from '../emit/builder.ts';
import type { Width } from '../wasm/function-builder.ts';
import type { FlagState } from './flag-state.ts';

/** A condition worked out from what set the flags, by a comparison; undefined: it takes the flags themselves. */
export function compared(m: MeaningBuilder, condition: Condition, flags: FlagState): V | undefined {
  switch (flags.kind) {
    case 'sub':
      return ofDifference(m, condition, flags);
    case 'logic':
      return ofLogic(m, condition, flags.result, flags.size);
    case 'add':
      return ofResult(m, condition, flags.result, flags.size);
    default:
      return undefined;
  }
}

/** In its own type, with its sign. */
const signed = (m: MeaningBuilder, v: V, size: Size): V => (size < 4 ? m.signExtend(v, size as Width) : v);

function ofDifference(
  m: MeaningBuilder,
  condition: Condition,
  flags: { a: V; b: V; result: V; size: Size },
): V | undefined {
  const { a, b, size } = flags;
  const s = (v: V): V => signed(m, v, size);
  switch (condition) {
    case 'e':
      return m.eq(a, b);
    case 'ne':
      return m.ne(a, b);
    case 'b':
      return m.ltU(a, b);
    case 'ae':
      return m.geU(a, b);
    case 'be':
      return m.leU(a, b);
    case 'a':
      return m.gtU(a, b);
    case 'l':
      return m.ltS(s(a), s(b));
    case 'ge':
      return m.geS(s(a), s(b));
    case 'le':
      return m.leS(s(a), s(b));
    case 'g':
      return m.gtS(s(a), s(b));
    default:
      return ofResult(m, condition, flags.result, size);
  }
}

/** CF and OF are clear. */
function ofLogic(m: MeaningBuilder, condition: Condition, result: V, size: Size): V | undefined {
  const zero = m.num(size, 0);
  switch (condition) {
    case 'o':
    case 'b':
      return m.i32(0);
    case 'no':
    case 'ae':
      return m.i32(1);
    case 'be':
      return m.eqz(result);
    case 'a':
      return m.ne(result, zero);
    case 'l':
      return m.ltS(signed(m, result, size), zero);
    case 'ge':
      return m.geS(signed(m, result, size), zero);
    case 'le':
      return m.leS(signed(m, result, size), zero);
    case 'g':
      return m.gtS(signed(m, result, size), zero);
    default:
      return ofResult(m, condition, result, size);
  }
}

function ofResult(m: MeaningBuilder, condition: Condition, result: V, size: Size): V | undefined {
  switch (condition) {
    case 'e':
      return m.eqz(result);
    case 'ne':
      return m.ne(result, m.num(size, 0));
    case 's':
      return m.ltS(signed(m, result, size), m.num(size, 0));
    case 'ns':
      return m.geS(signed(m, result, size), m.num(size, 0));
    default:
      return undefined;
  }
}
