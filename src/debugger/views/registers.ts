import type { Registers, Segment } from '../../x86/guest.ts';
import { ACCESS, ACTIVITY, RFLAGS } from '../../x86/registers.ts';

const hex = (value: number | bigint, digits: number): string => value.toString(16).padStart(digits, '0');

const GPR_ROWS = [
  [0, 3, 1, 2],
  [6, 7, 5, 4],
  [8, 9, 10, 11],
  [12, 13, 14, 15],
] as const;
const GPR_NAMES = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI'] as const;
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDT', 'TR'] as const;
const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [RFLAGS.DF, 'D'],
  [RFLAGS.OF, 'O'],
  [RFLAGS.SF, 'S'],
  [RFLAGS.ZF, 'Z'],
  [RFLAGS.AF, 'A'],
  [RFLAGS.PF, 'P'],
  [RFLAGS.CF, 'C'],
];

/** One processor's registers as QEMU's monitor prints them for `info registers`. */
export function describeRegisters(vcpu: number, registers: Registers): string {
  const flags = Number(registers.rflags & 0xffffffffn);
  const letters = FLAG_LETTERS.map(([bit, letter]) => ((flags & bit) === 0 ? '-' : letter)).join('');
  const cpl = (registers.segment(2).access >> 5) & 3;
  const halted = registers.activity === ACTIVITY.HLT ? 1 : 0;
  return [
    `CPU#${vcpu}`,
    ...GPR_ROWS.map((row) => row.map((index) => `${gprName(index)}=${hex(registers.gpr(index), 16)}`).join(' ')),
    `RIP=${hex(registers.rip, 16)} RFL=${hex(flags, 8)} [${letters}] CPL=${cpl} HLT=${halted}`,
    ...SEGMENTS.map((name, index) => describeSegment(name, registers.segment(index))),
    `GDT=     ${hex(registers.gdtr.base, 16)} ${hex(registers.gdtr.limit, 8)}`,
    `IDT=     ${hex(registers.idtr.base, 16)} ${hex(registers.idtr.limit, 8)}`,
    `CR0=${hex(registers.cr0, 8)} CR2=${hex(registers.cr2, 16)} CR3=${hex(registers.cr3, 16)}`,
    `CR4=${hex(registers.cr4, 8)}`,
    [0, 1, 2, 3].map((index) => `DR${index}=${hex(registers.dr(index), 16)}`).join(' '),
    `DR6=${hex(registers.dr(6), 16)} DR7=${hex(registers.dr(7), 16)}`,
    `EFER=${hex(registers.efer, 16)} XCR0=${hex(registers.xcr0, 16)} CR8=${hex(registers.cr8, 1)}`,
  ].join('\n');
}

const gprName = (index: number): string => GPR_NAMES[index] ?? `R${index}`.padEnd(3);

/** Selector, base, limit, and the descriptor's high word as QEMU keeps it: access rights in bits 23:8. */
function describeSegment(name: string, { selector, base, limit, access }: Segment): string {
  const unusable = (access & ACCESS.UNUSABLE) !== 0 ? ' unusable' : '';
  const words = [hex(selector, 4), hex(base, 16), hex(limit, 8), hex((access & 0xf0ff) << 8, 8)];
  return `${name.padEnd(3)}=${words.join(' ')}${unusable}`;
}
