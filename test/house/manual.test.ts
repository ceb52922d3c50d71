import { describe, expect, test } from 'vitest';
import { PIN, PRIMARY, SECONDARY, VM_ENTRY, VM_EXIT } from '../../src/x86/controls.ts';
import { EXIT } from '../../src/x86/exit-reasons.ts';
import { findings, PRODUCT } from './sources.ts';

/** What the manual numbers. Names of one word name other things too. */
const NAMES = [PIN, PRIMARY, SECONDARY, VM_ENTRY, VM_EXIT, EXIT]
  .flatMap((table) => Object.keys(table))
  .filter((name) => name.includes('_'));

const NUMBER = String.raw`~?\(?(?:0x[\da-f_]+|\d+)\b`;
/** Words of controls: the two only a processor has, and the others as fields of a VMCS. */
const CONTROLS = String.raw`(?:\b(?:primary|secondary)|(?:\.|\{ ?)(?:pin|entry|exit)|\b(?:pin|entry|exit)Controls)\b`;

const EXIT_NUMBERS = [
  String.raw`(?<!msr\.)\breason\)?\s*[!=]==\s*${NUMBER}`,
  String.raw`\breason: [1-9]`,
  String.raw`\b(?:leave\(p, d, |EXIT_REASONS\[|HANDLERS\[)${NUMBER}`,
];
const CONTROL_BITS = [
  String.raw`${CONTROLS}\s*[&|^]=?\s*${NUMBER}`,
  String.raw`${NUMBER}(?: << \d+)?\)?\s*[&|^]\s*(?:\w+\.)*${CONTROLS}`,
  String.raw`\b(?:primary|secondary|withheld)\(p, ${NUMBER}`,
  String.raw`\b(?:pin|primary|secondary|entry|exit)Bits\([^;]*, ${NUMBER}(?: << \d+)?, `,
];
/** A name of the manual that somebody else gives a number once more. */
const SAID_TWICE = String.raw`\b(?:${NAMES.join('|')})\b\s*[:=]\s*${NUMBER}`;

const BARE = [
  [new RegExp(EXIT_NUMBERS.join('|'), 'i'), 'a VM exit by its number: x86/exit-reasons.ts has its name'],
  [
    new RegExp([...CONTROL_BITS, SAID_TWICE].join('|')),
    'a control of the VMCS by its bit: x86/controls.ts has its name',
  ],
] as const;

const bareIn = (line: string): string | undefined => {
  if (/^\s*(\/\/|\*|\/\*)/.test(line)) return undefined;
  return BARE.find(([pattern]) => pattern.test(line))?.[1];
};

describe('numbers of the manual', () => {
  test('outside of x86 a VM exit and a control of the VMCS have names', () => {
    const others = PRODUCT.filter(({ path }) => !path.startsWith('src/x86/'));
    expect(findings(others, bareIn)).toEqual([]);
  });

  test.each([
    'if (exit.reason === 48) return violation(kvm);',
    '  return vmExit({ reason: 18, qualification });',
    "  if (intercepts(p, 'INVLPG')) return leave(p, d, 14, linear);",
    '  const handler = HANDLERS[30];',
  ])('a bare exit number is found: %s', (line) => {
    expect(bareIn(line)).toMatch(/^a VM exit/);
  });

  test.each([
    '  return (controls.primary & 0x80) !== 0;',
    'if ((primary & (1 << 7)) !== 0) stop();',
    '  if (withheld(p, 0x1000)) throw new GuestFault(VECTOR.UD);',
    '  primaryBits(inside, loadedVmcs(vcpu), 1 << 23, true);',
    '  const secondary = 0x82 | loaded.secondary;',
    '  if (vmcs.entry & 0x200) return;',
    'const HLT_EXITING = 1 << 7;',
    '  EPT_VIOLATION: 48,',
  ])('a bare control bit is found: %s', (line) => {
    expect(bareIn(line)).toMatch(/^a control/);
  });

  test.each([
    '  if (exit.reason === EXIT.EPT_VIOLATION) return;',
    '  return (primary & PRIMARY.HLT_EXITING) !== 0;',
    '  msr: { reason: 0, index: 0, data: 0n },',
    '    rate: (entry & 0x80) !== 0,',
    ' * Exit reason: 48 is an EPT violation.',
  ])('a name is none: %s', (line) => {
    expect(bareIn(line)).toBeUndefined();
  });
});
