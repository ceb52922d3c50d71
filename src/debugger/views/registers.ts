import { registersOf } from '../../machine/guest-view.ts';
import type { Registers, Segment } from '../../x86/guest.ts';
import { viewOf } from './view.ts';
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
const WORDS = ['rip', 'rflags', 'cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'xcr0'] as const;

type WordsSeen = { readonly [Name in (typeof WORDS)[number]]: Registers[Name] };

/** One processor's registers. */
interface RegistersSeen extends WordsSeen {
  readonly vcpu: number;
  /** By the number instructions know them by: RAX is 0, RSP 4. */
  readonly general: readonly bigint[];
  readonly segments: Readonly<Record<(typeof SEGMENTS)[number], Segment>>;
  readonly gdtr: Registers['gdtr'];
  readonly idtr: Registers['idtr'];
  /** DR0 to DR3, DR6, DR7. */
  readonly debug: readonly bigint[];
  readonly cpl: number;
  readonly isHalted: boolean;
}

function seenOf(vcpu: number, registers: Registers): RegistersSeen {
  const segment = (index: number): Segment => {
    const { selector, base, limit, access } = registers.segment(index);
    return { selector, base, limit, access };
  };
  return {
    ...(Object.fromEntries(WORDS.map((name) => [name, registers[name]])) as unknown as WordsSeen),
    vcpu,
    general: Array.from({ length: 16 }, (_, index) => registers.gpr(index)),
    segments: Object.fromEntries(SEGMENTS.map((name, index) => [name, segment(index)])) as RegistersSeen['segments'],
    gdtr: { base: registers.gdtr.base, limit: registers.gdtr.limit },
    idtr: { base: registers.idtr.base, limit: registers.idtr.limit },
    debug: [0, 1, 2, 3, 6, 7].map((index) => registers.dr(index)),
    cpl: (registers.segment(2).access >> 5) & 3,
    isHalted: registers.activity === ACTIVITY.HLT,
  };
}

/** As QEMU's monitor prints them for `info registers`. */
function registersText(seen: RegistersSeen): string {
  const { vcpu, general, segments, debug, cpl } = seen;
  const flags = Number(seen.rflags & 0xffffffffn);
  const letters = FLAG_LETTERS.map(([bit, letter]) => ((flags & bit) === 0 ? '-' : letter)).join('');
  const [dr0, dr1, dr2, dr3, dr6, dr7] = debug.map((value) => hex(value, 16));
  return [
    `CPU#${vcpu}`,
    ...GPR_ROWS.map((row) => row.map((index) => `${gprName(index)}=${hex(general[index] ?? 0n, 16)}`).join(' ')),
    `RIP=${hex(seen.rip, 16)} RFL=${hex(flags, 8)} [${letters}] CPL=${cpl} HLT=${seen.isHalted ? 1 : 0}`,
    ...SEGMENTS.map((name) => segmentText(name, segments[name])),
    `GDT=     ${hex(seen.gdtr.base, 16)} ${hex(seen.gdtr.limit, 8)}`,
    `IDT=     ${hex(seen.idtr.base, 16)} ${hex(seen.idtr.limit, 8)}`,
    `CR0=${hex(seen.cr0, 8)} CR2=${hex(seen.cr2, 16)} CR3=${hex(seen.cr3, 16)}`,
    `CR4=${hex(seen.cr4, 8)}`,
    `DR0=${dr0} DR1=${dr1} DR2=${dr2} DR3=${dr3}`,
    `DR6=${dr6} DR7=${dr7}`,
    `EFER=${hex(seen.efer, 16)} XCR0=${hex(seen.xcr0, 16)} CR8=${hex(seen.cr8, 1)}`,
  ].join('\n');
}

const gprName = (index: number): string => GPR_NAMES[index] ?? `R${index}`.padEnd(3);

/** Selector, base, limit, and the descriptor's high word as QEMU keeps it: access rights in bits 23:8. */
function segmentText(name: string, { selector, base, limit, access }: Segment): string {
  const unusable = (access & ACCESS.UNUSABLE) !== 0 ? ' unusable' : '';
  const words = [hex(selector, 4), hex(base, 16), hex(limit, 8), hex((access & 0xf0ff) << 8, 8)];
  return `${name.padEnd(3)}=${words.join(' ')}${unusable}`;
}

export const REGISTERS = viewOf({
  usage: 'regs',
  help: "the processor's registers",
  also: ['info registers', 'registers', 'r'],
  ofEachVcpu: true,
  look: ({ view, vcpu }) => seenOf(vcpu, registersOf(view, vcpu)),
  print: registersText,
});
