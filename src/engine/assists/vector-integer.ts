import { SLOW } from '../meanings/vector/slow.ts';
import type { SlowContext, SlowRoutine } from './slow-routine.ts';

/** MPSADBW: eight sums of four absolute differences. SDM Vol. 2A. */
const sumsOfDifferences: SlowRoutine = ({ view, immediate }) => {
  const first = SLOW.first + 4 * ((immediate >> 2) & 1);
  const block = SLOW.second + 4 * (immediate & 3);
  for (let i = 0; i < 8; i++) {
    let sum = 0;
    for (let k = 0; k < 4; k++) sum += Math.abs(view.getUint8(first + i + k) - view.getUint8(block + k));
    view.setUint16(SLOW.result + 2 * i, sum, true);
  }
};

/** One operand of a text comparison: its elements, and how many of them are valid. */
interface Text {
  readonly elements: readonly number[];
  readonly length: number;
}

/** Elements by imm8[1:0]: unsigned bytes, unsigned words, signed bytes, signed words. SDM Vol. 2, 4.1.1. */
function elementsAt(view: DataView, at: number, immediate: number): number[] {
  const signed = (immediate & 2) !== 0;
  if ((immediate & 1) === 0) {
    return Array.from({ length: 16 }, (_, i) => (signed ? view.getInt8(at + i) : view.getUint8(at + i)));
  }
  const word = (place: number): number => (signed ? view.getInt16(place, true) : view.getUint16(place, true));
  return Array.from({ length: 8 }, (_, i) => word(at + 2 * i));
}

function textAt(view: DataView, at: number, immediate: number, explicit: number | undefined): Text {
  const elements = elementsAt(view, at, immediate);
  if (explicit !== undefined) return { elements, length: Math.min(explicit, elements.length) };
  const end = elements.indexOf(0);
  return { elements, length: end < 0 ? elements.length : end };
}

type Aggregation = (a: Text, b: Text, j: number) => boolean;

/** Equal any, ranges, equal each, equal ordered: bit `j` of IntRes1. SDM Vol. 2, 4.1.3 and 4.1.6. */
const AGGREGATIONS: readonly Aggregation[] = [
  (a, b, j) => j < b.length && a.elements.slice(0, a.length).includes(b.elements[j] as number),
  (a, b, j) => {
    const value = b.elements[j] as number;
    for (let i = 0; i + 1 < a.length; i += 2) {
      if (j < b.length && value >= (a.elements[i] as number) && value <= (a.elements[i + 1] as number)) return true;
    }
    return false;
  },
  (a, b, j) => (j < a.length && j < b.length ? a.elements[j] === b.elements[j] : j >= a.length && j >= b.length),
  (a, b, j) => {
    for (let i = 0; i < a.length && i + j < b.elements.length; i++) {
      if (i + j >= b.length || a.elements[i] !== b.elements[i + j]) return false;
    }
    return true;
  },
];

/** IntRes2 as a number: polarity by imm8[5:4]. SDM Vol. 2, 4.1.4. */
function compared(a: Text, b: Text, immediate: number): number {
  const aggregate = AGGREGATIONS[(immediate >> 2) & 3] as Aggregation;
  let bits = 0;
  for (let j = 0; j < b.elements.length; j++) {
    const negative = (immediate & 0x10) !== 0 && ((immediate & 0x20) === 0 || j < b.length);
    if (aggregate(a, b, j) !== negative) bits |= 1 << j;
  }
  return bits;
}

/** ECX: the least or most significant set bit, or the number of elements. SDM Vol. 2, 4.1.5. */
function indexOf(bits: number, count: number, most: boolean): number {
  if (bits === 0) return count;
  return most ? 31 - Math.clz32(bits) : 31 - Math.clz32(bits & -bits);
}

function writeMask(view: DataView, bits: number, count: number, expand: boolean): void {
  view.setBigUint64(SLOW.result, 0n, true);
  view.setBigUint64(SLOW.result + 8, 0n, true);
  if (!expand) {
    view.setUint16(SLOW.result, bits, true);
    return;
  }
  const width = 16 / count;
  for (let at = 0; at < 16; at++) view.setUint8(SLOW.result + at, (bits >> Math.floor(at / width)) & 1 ? 0xff : 0);
}

const compareStrings =
  (explicit: boolean, mask: boolean): SlowRoutine =>
  ({ view, immediate }: SlowContext) => {
    const lengths = view.getUint32(SLOW.lengths, true);
    const a = textAt(view, SLOW.first, immediate, explicit ? lengths & 0xff : undefined);
    const b = textAt(view, SLOW.second, immediate, explicit ? lengths >> 8 : undefined);
    const count = a.elements.length;
    const bits = compared(a, b, immediate);
    if (mask) writeMask(view, bits, count, (immediate & 0x40) !== 0);
    else view.setUint32(SLOW.result, indexOf(bits, count, (immediate & 0x40) !== 0), true);
    const flags = (bits !== 0 ? 1 : 0) | (b.length < count ? 0x40 : 0) | (a.length < count ? 0x80 : 0);
    view.setUint32(SLOW.lengths, flags | ((bits & 1) !== 0 ? 0x800 : 0), true);
  };

/** Integer and text operations on operands in scratch, by name. */
export const INTEGER_ROUTINES: Readonly<Record<string, SlowRoutine | undefined>> = {
  mpsadbw: sumsOfDifferences,
  pcmpestri: compareStrings(true, false),
  pcmpestrm: compareStrings(true, true),
  pcmpistri: compareStrings(false, false),
  pcmpistrm: compareStrings(false, true),
};
