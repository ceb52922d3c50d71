import { Problem } from '../../base/problem.ts';
import type { Ns } from '../../base/units.ts';
import { lapicTimer } from '../../kvm/irqchip/index.ts';
import type { LapicState } from '../../kvm/irqchip/state.ts';
import { irqchipOf } from './pic.ts';
import { deliveryMode, hex, listed, setBits } from './interrupt-words.ts';
import { viewOf } from './view.ts';

const LVT_NAMES = ['LVTT', 'LVTTHMR', 'LVTPC', 'LVT0', 'LVT1', 'LVTERR'] as const;
const TIMER_MODES = ['one-shot', 'periodic', 'tsc-deadline', 'reserved'] as const;

/** An entry of the local vector table. SDM Vol. 3, 11.5.1. */
interface LvtSeen {
  readonly name: string;
  readonly entry: number;
  readonly vector: number;
  readonly isLevel: boolean;
  readonly isMasked: boolean;
  /** How it is delivered; for the timer, how it runs. */
  readonly mode: string;
}

const PLAIN = [
  'apicBase',
  'svr',
  'icrLow',
  'icrHigh',
  'id',
  'ldr',
  'dfr',
  'tpr',
  'divideConfig',
  'initialCount',
] as const;

type PlainSeen = Readonly<Record<(typeof PLAIN)[number], number>>;

/** One local APIC. */
interface LapicSeen extends PlainSeen {
  readonly vcpu: number;
  readonly mode: 'disabled' | 'xAPIC' | 'x2APIC';
  readonly isEnabled: boolean;
  readonly lvt: readonly LvtSeen[];
  /** Virtual time at which the timer is due, while it is armed. */
  readonly deadline: Ns | undefined;
  /** Vectors in service, requested, and of level-triggered interrupts. */
  readonly isr: readonly number[];
  readonly irr: readonly number[];
  readonly tmr: readonly number[];
}

const vectors = (words: readonly number[]): number[] =>
  words.flatMap((word, index) => setBits(word).map((bit) => index * 32 + bit));

/** `deadline`: of its timer, while that is armed. */
export function lapicSeen(vcpu: number, lapic: LapicState, deadline: Ns | undefined): LapicSeen {
  return {
    ...(Object.fromEntries(PLAIN.map((name) => [name, lapic[name]])) as PlainSeen),
    vcpu,
    mode: (lapic.apicBase & 0x800) === 0 ? 'disabled' : (lapic.apicBase & 0x400) === 0 ? 'xAPIC' : 'x2APIC',
    isEnabled: (lapic.svr & 0x100) !== 0,
    lvt: lapic.lvt.map(lvtSeen),
    deadline,
    isr: vectors(lapic.isr),
    irr: vectors(lapic.irr),
    tmr: vectors(lapic.tmr),
  };
}

function lvtSeen(entry: number, index: number): LvtSeen {
  return {
    name: LVT_NAMES[index] ?? `LVT${index}`,
    entry,
    vector: entry & 0xff,
    isLevel: (entry & 0x8000) !== 0,
    isMasked: (entry & 0x10000) !== 0,
    mode: index === 0 ? (TIMER_MODES[(entry >> 17) & 3] ?? '') : deliveryMode(entry),
  };
}

/** As QEMU's monitor prints it for `info lapic`. */
export function lapicText(seen: LapicSeen): string {
  const { vcpu, mode, lvt, deadline } = seen;
  const due = deadline === undefined ? 'not running' : `due at ${deadline} ns`;
  const enabled = seen.isEnabled ? 'enabled' : 'disabled';
  return [
    `dumping local APIC state for CPU ${vcpu}`,
    '',
    `MODE  ${mode}, APIC base 0x${hex(seen.apicBase, 8)}`,
    ...lvt.map(lvtText),
    `Timer  DCR=0x${hex(seen.divideConfig, 1)} initial_count=${seen.initialCount} ${due}`,
    `SPIV   0x${hex(seen.svr, 8)} APIC ${enabled}, spurious vec ${seen.svr & 0xff}`,
    `ICR    0x${hex(seen.icrLow, 8)}  ICR2   0x${hex(seen.icrHigh, 8)}`,
    `ID     0x${hex(seen.id, 8)}  LDR 0x${hex(seen.ldr, 8)}  DFR 0x${hex(seen.dfr, 8)}  TPR 0x${hex(seen.tpr, 2)}`,
    `ISR    ${listed(seen.isr)}`,
    `IRR    ${listed(seen.irr)}`,
    `TMR    ${listed(seen.tmr)}`,
  ].join('\n');
}

function lvtText({ name, entry, vector, isLevel, isMasked, mode }: LvtSeen): string {
  const words = [
    `${name.padEnd(7)}0x${hex(entry, 8)}`,
    isLevel ? 'level' : 'edge ',
    isMasked ? 'masked' : '',
    mode,
    `(vec ${vector})`,
  ];
  return words.filter((word) => word !== '').join(' ');
}

export const LAPIC = viewOf({
  usage: 'lapic',
  help: "the processor's local APIC",
  also: ['info lapic'],
  ofEachVcpu: true,
  look({ view, vcpu }) {
    const lapic = irqchipOf(view).lapics[vcpu];
    if (lapic === undefined) throw new Problem('This processor has no local APIC.');
    return lapicSeen(vcpu, lapic, view.machine.state.kvm.timers[lapicTimer(vcpu)]?.deadline);
  },
  print: lapicText,
});
