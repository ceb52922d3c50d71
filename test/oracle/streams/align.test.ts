import { describe, expect, test } from 'vitest';
import { align, Interned } from './align.ts';
import { compareOrder } from '../event-order.ts';
import { parseEvents, tokensOf } from './event-reference.ts';

const stream = (...parts: readonly (readonly number[])[]): Int32Array => Int32Array.from(parts.flat());
const range = (from: number, length: number): number[] => Array.from({ length }, (_, i) => from + i);

describe('align', () => {
  test('finds equal streams equal', () => {
    const a = stream(range(0, 100));
    expect(align(a, a, 1000)).toEqual({ equal: 100, gaps: [], lost: false });
  });

  test('names a loop that turned more often on one side, and goes on behind it', () => {
    const loop = [7, 8, 9];
    const a = stream(range(100, 50), loop, loop, loop, range(200, 50));
    const b = stream(range(100, 50), loop, range(200, 50));
    const { gaps, lost } = align(a, b, 1000);
    expect(lost).toBe(false);
    expect(gaps).toEqual([{ reference: 53, referenceLength: 6, ours: 53, oursLength: 0 }]);
  });

  test('says so when the streams never meet again', () => {
    const { gaps, lost } = align(stream(range(0, 50), range(100, 50)), stream(range(0, 50), range(900, 50)), 1000);
    expect(lost).toBe(true);
    expect(gaps.at(-1)).toMatchObject({ reference: 50, ours: 50 });
  });
});

describe('Interned', () => {
  test('gives equal texts equal numbers and the text back', () => {
    const table = new Interned();
    expect(table.id('a')).toBe(table.id('a'));
    expect(table.text(table.id('b'))).toBe('b');
  });
});

describe('event order', () => {
  const line = (text: string): string => ` qemu-9 [000] d..1. 1.1: ${text}`;

  test('keeps what two recordings share and drops what belongs to a host', () => {
    const text = [
      line('kvm_entry: vcpu 0, rip 0xfff0'),
      line('kvm_exit: vcpu 0 reason CPUID rip 0xe05b info1 0x0000000000000000 info2 0x0 intr_info 0x0 error_code 0x0'),
      line('kvm_cpuid: func 40000000 idx 6 rax 40000001 rbx 4b4d564b rcx 564b4d56 rdx 4d, cpuid entry found'),
      line('kvm_pio: pio_read at 0x608 size 4 count 1 val 0x1234 '),
      line('kvm_fpu: unload'),
    ].join('\n');
    expect(tokensOf(parseEvents(text))).toEqual(['exit 0 CPUID at 0xe05b', 'cpuid 40000000', 'pio read 608 4 1 timed']);
  });

  test('counts explained differences and names the others', () => {
    const same = range(0, 30).map((n) => `pio write 402 1 1 0x${n.toString(16)}`);
    const order = compareOrder([...same.slice(0, 15), 'mystery', ...same.slice(15)], same);
    expect(order.unknown).toEqual(['reference #15: mystery']);
    expect(order.equal).toBe(30);
  });
});
