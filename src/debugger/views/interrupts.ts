import { DELIVERY_MODES } from '../../events/symbols.ts';
import type { IrqchipState, LapicState, PicChip } from '../../kvm/irqchip/state.ts';

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');

/** The PIC pair and the IOAPIC as QEMU's monitor prints them for `info pic`. */
export function describeInterruptControllers({ pic, ioapic }: IrqchipState): string {
  const asserted = `  IRR  ${setBits(ioapic.irr).join(' ') || '(none)'}`;
  const remote = ioapic.redirLow.flatMap((low, pin) => ((low & 0x4000) === 0 ? [] : [pin]));
  return [
    ...pic.chips.map(describePic),
    `ioapic0: ver=0x11 id=0x${hex(ioapic.id, 2)} sel=0x${hex(ioapic.ioregsel, 2)}`,
    ...ioapic.redirLow.map((low, pin) => describePin(pin, low, ioapic.redirHigh[pin] as number)),
    asserted,
    `  Remote IRR  ${remote.join(' ') || '(none)'}`,
  ].join('\n');
}

function describePic(chip: PicChip, index: number): string {
  const registers = `irr=${hex(chip.irr, 2)} imr=${hex(chip.imr, 2)} isr=${hex(chip.isr, 2)} hprio=${chip.priorityAdd}`;
  const modes = `rr_sel=${chip.readRegSelect} elcr=${hex(chip.elcr, 2)} fnm=${chip.specialFullyNested}`;
  return `pic${index}: ${registers} irq_base=${hex(chip.irqBase, 2)} ${modes}`;
}

function describePin(pin: number, low: number, high: number): string {
  const words = [
    `  pin ${String(pin).padEnd(2)} 0x${hex(high, 8)}${hex(low, 8)}`,
    `dest=${hex(high >>> 24, 1)}`,
    `vec=${String(low & 0xff).padEnd(3)}`,
    (low & 0x2000) === 0 ? 'active-hi' : 'active-lo',
    (low & 0x8000) === 0 ? 'edge ' : 'level',
    (low & 0x10000) === 0 ? '      ' : 'masked',
    (DELIVERY_MODES[(low >> 8) & 7] ?? '').padEnd(7),
    (low & 0x800) === 0 ? 'physical' : 'logical',
  ];
  return words.join(' ').trimEnd();
}

const setBits = (mask: number): number[] =>
  Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (mask >>> bit) & 1);

const vectors = (words: readonly number[]): string => {
  const set = words.flatMap((word, index) => setBits(word).map((bit) => index * 32 + bit));
  return set.length === 0 ? '(none)' : set.join(' ');
};

const LVT_NAMES = ['LVTT', 'LVTTHMR', 'LVTPC', 'LVT0', 'LVT1', 'LVTERR'] as const;
const TIMER_MODES = ['one-shot', 'periodic', 'tsc-deadline', 'reserved'] as const;

/** One local APIC as QEMU's monitor prints it for `info lapic`. `deadline`: of its timer, while that is armed. */
export function describeLapic(vcpu: number, lapic: LapicState, deadline: number | undefined): string {
  const mode = (lapic.apicBase & 0x800) === 0 ? 'disabled' : (lapic.apicBase & 0x400) === 0 ? 'xAPIC' : 'x2APIC';
  const enabled = (lapic.svr & 0x100) === 0 ? 'disabled' : 'enabled';
  const due = deadline === undefined ? 'not running' : `due at ${deadline} ns`;
  return [
    `dumping local APIC state for CPU ${vcpu}`,
    '',
    `MODE  ${mode}, APIC base 0x${hex(lapic.apicBase, 8)}`,
    ...lapic.lvt.map((entry, index) => describeLvt(LVT_NAMES[index] ?? `LVT${index}`, entry, index === 0)),
    `Timer  DCR=0x${hex(lapic.divideConfig, 1)} initial_count=${lapic.initialCount} ${due}`,
    `SPIV   0x${hex(lapic.svr, 8)} APIC ${enabled}, spurious vec ${lapic.svr & 0xff}`,
    `ICR    0x${hex(lapic.icrLow, 8)}  ICR2   0x${hex(lapic.icrHigh, 8)}`,
    `ID     0x${hex(lapic.id, 8)}  LDR 0x${hex(lapic.ldr, 8)}  DFR 0x${hex(lapic.dfr, 8)}  TPR 0x${hex(lapic.tpr, 2)}`,
    `ISR    ${vectors(lapic.isr)}`,
    `IRR    ${vectors(lapic.irr)}`,
    `TMR    ${vectors(lapic.tmr)}`,
  ].join('\n');
}

function describeLvt(name: string, entry: number, isTimer: boolean): string {
  const words = [
    `${name.padEnd(7)}0x${hex(entry, 8)}`,
    (entry & 0x8000) === 0 ? 'edge ' : 'level',
    (entry & 0x10000) === 0 ? '' : 'masked',
    isTimer ? (TIMER_MODES[(entry >> 17) & 3] as string) : (DELIVERY_MODES[(entry >> 8) & 7] ?? ''),
    `(vec ${entry & 0xff})`,
  ];
  return words.filter((word) => word !== '').join(' ');
}
