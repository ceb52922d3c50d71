import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { eventCondition } from '../../../src/replay/expression/event-scope.ts';
import { holds, type Names, numberIn, parseExpression, type Scope } from '../../../src/replay/expression/expression.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { tool, without } from '../../stepping-aside.ts';
import { chance } from '../trace/mutated.ts';
import { sampleEvents } from '../trace/sample.ts';

const folder = scratchFolder();
const NAMES: Names = {
  hasSymbol: (name) => name === 'jiffies',
  registers: { has: (name) => name === 'rax', all: () => ['rax', 'rbx'] },
  changes: true,
};
const SCOPE: Scope = {
  register: () => 0xffff_ffff_8000_0000n,
  field: () => undefined,
  symbol: () => 0x1000n,
  memory: (address, size) => (address << 8n) + BigInt(size),
  changed: { old: 5n, new: 7n },
};
const value = (text: string): bigint => numberIn(parseExpression(text, NAMES), SCOPE);
const complaint = (ask: () => unknown): string => {
  try {
    ask();
    return '';
  } catch (problem) {
    return (problem as Error).message;
  }
};

const BINARY = ['||', '&&', '|', '^', '&', '==', '!=', '<', '<=', '>', '>=', '<<', '>>', '+', '-', '*', '/', '%'];

/** An expression in C's own grammar, without undefined behaviour: shifts are small, divisors are not zero. */
function randomExpression(draw: (below: number) => number, depth: number): string {
  const number = (): string => ['0', '1', '3', '0x7f', '0x80000000', '0xffffffffffffffff', '12'][draw(7)]!;
  if (depth === 0 || draw(6) === 0) return number();
  if (draw(4) === 0) return `${'~!'[draw(2)]}${draw(2) === 0 ? number() : `(${randomExpression(draw, depth - 1)})`}`;
  const operator = BINARY[draw(BINARY.length)]!;
  const left = randomExpression(draw, depth - 1);
  if (operator === '<<' || operator === '>>') return `(${left}) ${operator} ${draw(64)}`;
  if (operator === '/' || operator === '%') return `(${left}) ${operator} ${1 + draw(9)}`;
  const right = randomExpression(draw, depth - 1);
  return draw(3) === 0 ? `(${left}) ${operator} (${right})` : `${left} ${operator} ${right}`;
}

describe('an expression', () => {
  test("comes to what a C compiler's 64-bit arithmetic comes to", without(tool('g++')), () => {
    const draw = chance(7);
    const expressions = Array.from({ length: 150 }, () => randomExpression(draw, 4)).filter((it) => it.length < 900);
    // The precedence and arithmetic are the compiler's; only that a comparison is 64 bits wide as well is said here.
    const wide = BINARY.map((operator) => `U operator${operator}(U a, U b) { return U{(u64)(a.v ${operator} b.v)}; }`);
    const unary = ['~', '!'].map((operator) => `U operator${operator}(U a) { return U{(u64)(${operator}a.v)}; }`);
    const lines = expressions.map((text) => `  p(${text.replaceAll(/0x[0-9a-f]+|\d+/g, 'U{$&ull}')});`);
    const head = '#include <cstdio>\ntypedef unsigned long long u64;\nstruct U { u64 v; };';
    const main = `static void p(U u) { printf("%llu\\n", u.v); }\nint main() {\n${lines.join('\n')}\n}\n`;
    const source = join(folder, 'oracle.cc');
    writeFileSync(source, [head, ...wide, ...unary, main].join('\n'));
    const built = spawnSync('g++', ['-w', '-O0', '-o', join(folder, 'oracle'), source], { encoding: 'utf8' });
    expect(built.stderr).toBe('');
    const expected = spawnSync(join(folder, 'oracle'), { encoding: 'utf8' }).stdout.trim().split('\n');
    expect(expressions.map((text) => String(value(text)))).toEqual(expected);
  });

  test('looks at registers, symbols, memory and what has changed', () => {
    expect(value('$rax + 1')).toBe(0xffff_ffff_8000_0001n);
    expect(value('u32[jiffies + 4] == 0x100404')).toBe(1n);
    expect(value('p8[2]')).toBe(0x201n);
    expect(value('$new - $old')).toBe(2n);
    expect(parseExpression('$new > $old', NAMES)).toMatchObject({ compares: true, looks: false });
    expect(parseExpression('u8[0]', NAMES)).toMatchObject({ compares: false, looks: true });
  });

  test('compares a negative number as signed, and is unsigned otherwise', () => {
    expect(value('-1 == 0xffffffffffffffff')).toBe(1n);
    expect(value('-4 < 0')).toBe(1n);
    expect(value('0xffffffffffffffff > 1')).toBe(1n);
    expect(value('0 - 1')).toBe(0xffff_ffff_ffff_ffffn);
  });

  test.each([
    ['1 +', 'breaks off', 4],
    ['1 2', 'cannot be read at `2`', 3],
    ['(1 + 2', 'lacks its `)`', 1],
    ['u8[1', 'lacks its `]`', 3],
    ['1 + * 2', 'A value is missing before `*`', 5],
    ['1 ? 2', 'cannot be read here', 3],
    ['1 + jiffes', 'No symbol is named jiffes', 5],
    ['$rxa == 1', 'No register is named rxa: did you mean rax?', 1],
    ["2 * 'x'", "'x' is text and no number", 3],
    ['1 / (2 - 2)', 'divides by zero', 3],
    ['"open', 'cannot be read here', 1],
  ])('that is wrong (%s) is answered by column, with a caret below it', (text, sentence, column) => {
    const said = complaint(() => value(text)).split('\n');
    expect(said[0]).toContain(sentence);
    expect(said[0]).toContain(`(column ${column})`);
    expect(said[1]).toBe(`  ${text}`);
    expect(said[2]).toBe(`${' '.repeat(column + 1)}^`);
  });

  test('that means harm is refused at once', () => {
    const many = (text: string, times: number): string => text.repeat(times);
    expect(complaint(() => value(many('1+', 10_000)))).toContain('at most 1000 characters');
    expect(complaint(() => value(`${many('(', 400)}1`))).toContain('nested too deeply');
    expect(complaint(() => value(many('!', 900)))).toContain('nested too deeply');
    expect(complaint(() => value(many('u8[', 300)))).toContain('nested too deeply');
    expect(value(`1${many('+1', 499)}`)).toBe(500n);
    // What is shown of it is short, and does nothing to a terminal.
    const shown = complaint(() => value(`${many('1+', 200)}\u001b[2J`));
    expect(Math.max(...shown.split('\n').map((line) => line.length))).toBeLessThan(120);
    expect(shown).not.toContain('\u001b');
  });
});

const stamp = (event: object, source = 16): Stamped =>
  ({ seq: 5, tick: 900, source, cause: 2, within: undefined, event }) as unknown as Stamped;
const PIO = stamp({ kind: 'kvm_pio', rw: 1, port: 0x3f8, size: 1, count: 1, val: 65, data: new Uint8Array([0xab, 1]) });
const EXIT = sampleEvents(20).find(({ event }) => event.kind === 'kvm_exit') as Stamped;
const KINDS = ['kvm_pio', 'kvm_exit', 'kvm_eoi', 'kvm_inj_exception', 'kvm_msr', 'kvm_apic_accept_irq', 'kvm_apic'];
const isMeant = (text: string, stamped: Stamped): boolean => eventCondition(text, KINDS)(stamped);

describe('a condition on events', () => {
  test('knows fields, what every event has, and text and bytes', () => {
    expect(isMeant('port == 0x3f8 && val == 65 && tick == 900 && seq < 6 && cause == 2', PIO)).toBe(true);
    expect(isMeant('source == "vcpu0" && vcpu == 0 && kind == "kvm_pio" && data == "ab01"', PIO)).toBe(true);
    expect(isMeant('vcpu == 0', { ...PIO, source: 0 })).toBe(false);
  });

  test('knows numbers by the names their field has', () => {
    const reason = { ...(EXIT.event as Extract<MachineEvent, { kind: 'kvm_exit' }>), exit_reason: 48, gpa: 0xfec00010 };
    const violation = { ...EXIT, event: reason };
    expect(isMeant('exit_reason == EPT_VIOLATION && gpa >= 0xfec00000', violation)).toBe(true);
    expect(isMeant('CPUID == exit_reason', violation)).toBe(false);
    expect(isMeant('(exit_reason | FAILED_VMENTRY) == (EPT_VIOLATION | FAILED_VMENTRY)', violation)).toBe(true);
    expect(isMeant('exception == #PF', stamp({ kind: 'kvm_inj_exception', exception: 14 }))).toBe(true);
    expect(isMeant('ecx == X2APIC_EOI || ecx == EFER', stamp({ kind: 'kvm_msr', ecx: 0x80b }))).toBe(true);
    expect(isMeant('dm == NMI', stamp({ kind: 'kvm_apic_accept_irq', dm: 0x400 }))).toBe(true);
    expect(isMeant('vector < 0', stamp({ kind: 'kvm_eoi', vector: -1 }))).toBe(true);
  });

  test('about a field an event lacks holds neither way, unless the rest decides', () => {
    for (const text of ['exit_reason == 12', '!(exit_reason == 12)', 'exit_reason != 12', '-exit_reason']) {
      expect(isMeant(text, PIO)).toBe(false);
    }
    expect(isMeant('exit_reason == 12 || port == 0x3f8', PIO)).toBe(true);
    expect(isMeant('port == 0x3f8 || exit_reason == 12', PIO)).toBe(true);
    expect(isMeant('!(exit_reason == 12 && port == 1)', PIO)).toBe(true);
  });

  test.each([
    ['exit_reason == EPT_VIOLATON', 'No value of the field is named EPT_VIOLATON: did you mean EPT_VIOLATION?', 16],
    ['prot == 1', 'No field is named prot: did you mean port?', 1],
    ['gpa == 1 && index == 3', 'No field is named index', 13],
    ['$rax == 1', 'Registers and memory are known at a stop', 1],
    ['u8[1] == 1', 'Registers and memory are known at a stop', 1],
    ['$old == 1', '$old means something where `watch` stops', 1],
    ['1 == ExtINT + __proto__', 'No field is named __proto__', 15],
    ['constructor', 'No field is named constructor', 1],
    ['constructor[1]', 'cannot be read at `[`', 12],
  ])('%s is refused by column', (text, sentence, column) => {
    const said = complaint(() => eventCondition(text, KINDS));
    expect(said).toContain(sentence);
    expect(said).toContain(`(column ${column})`);
  });
});

describe('fields of packets', () => {
  /** An ICMP error has the addresses of the packet it is about, too. */
  const names: Names = {
    fields: new Set(['ip.dst', 'tcp.port']),
    hasSymbol: () => false,
    registers: undefined,
    changes: false,
  };
  const scope: Scope = {
    ...SCOPE,
    field: (name) => (name === 'ip.dst' ? ['10.0.2.15', '10.0.2.3'] : name === 'tcp.port' ? [40_000n, 80n] : undefined),
  };
  const holdsOf = (text: string): boolean => holds(parseExpression(text, names), scope);

  test.each([
    ['ip.dst == 10.0.2.3', true],
    ["'10.0.2.15' == ip.dst", true],
    ['ip.dst == 10.0.2.4', false],
    ['ip.dst != 10.0.2.3', false],
    ['ip.dst != 10.0.2.4', true],
    ['!(ip.dst == 10.0.2.4)', true],
    ['tcp.port > 100', true],
    ['tcp.port < 80', false],
    ['tcp.port == 80 && tcp.port == 40000', true],
    ['(tcp.port & 0xff) == 80', true],
    ['-tcp.port == -40000', true],
    ['tcp.port', true],
  ])('%s: %s', (text, expected) => {
    expect(holdsOf(text)).toBe(expected);
  });

  test('are compared with addresses as people write them', () => {
    const text = (words: string): unknown => parseExpression(words, names).value(scope);
    expect(text('10.0.2.15')).toBe('10.0.2.15');
    expect(text('52:54:00:12:34:AB')).toBe('52:54:00:12:34:ab');
    expect(complaint(() => text('10.0.2'))).toContain('cannot be read');
    expect(complaint(() => text('52:54:00:12:34'))).toContain('cannot be read');
    expect(complaint(() => holdsOf('ip.dst > 3'))).toContain("'10.0.2.15' is text and no number");
  });
});
