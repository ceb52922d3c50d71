import { createPit } from '../pit.ts';
import type { IrqEffects } from './effects.ts';
import { resetLapic } from './lapic-reset.ts';
import { defaultRouting } from './routes.ts';
import type { IrqchipState, LapicState, PicChip } from './state.ts';
import { IOAPIC_PINS, PIC_PINS, zeros } from './state.ts';

function newPicChip(elcrMask: number): PicChip {
  return {
    lastIrr: 0,
    irr: 0,
    imr: 0,
    isr: 0,
    priorityAdd: 0,
    irqBase: 0,
    readRegSelect: 0,
    poll: 0,
    specialMask: 0,
    initState: 0,
    autoEoi: 0,
    rotateOnAutoEoi: 0,
    specialFullyNested: 0,
    init4: 0,
    elcr: 0,
    elcrMask,
  };
}

/** KVM_CREATE_IRQCHIP: PIC pair and IOAPIC in their reset state with KVM's default routing. */
export function createIrqchip(): IrqchipState {
  return {
    pic: { chips: [newPicChip(0xf8), newPicChip(0xde)], output: false, irqStates: zeros(PIC_PINS) },
    ioapic: {
      ioregsel: 0,
      id: 0,
      irr: 0,
      irrDelivered: 0,
      redirLow: new Array<number>(IOAPIC_PINS).fill(0x10000),
      redirHigh: zeros(IOAPIC_PINS),
      irqStates: zeros(IOAPIC_PINS),
      eoiCount: zeros(IOAPIC_PINS),
      eoiInjectAt: undefined,
      rtc: { pendingEoi: 0, vcpus: 0, vectors: [] },
    },
    lapics: [],
    pit: undefined,
    routing: defaultRouting(),
    ackNotifiers: [],
  };
}

/** KVM_CREATE_PIT2. `speaker`: KVM_PIT_SPEAKER_DUMMY was given. */
export function createKvmPit(chip: IrqchipState, speaker: boolean, fx: IrqEffects): void {
  chip.pit = createPit(speaker, fx.now());
}

/** KVM_CREATE_VCPU: the next vCPU's LAPIC in its power-on state. Returns the vCPU's index. */
export function addLapic(chip: IrqchipState): number {
  const vcpu = chip.lapics.length;
  chip.lapics.push(newLapic(vcpu));
  chip.ioapic.rtc.vectors.push(0);
  resetLapic(chip, vcpu, false);
  return vcpu;
}

function newLapic(vcpu: number): LapicState {
  return {
    vcpu,
    apicBase: 0,
    id: 0,
    tpr: 0,
    ldr: 0,
    dfr: 0,
    svr: 0,
    icrLow: 0,
    icrHigh: 0,
    lvt: zeros(6),
    initialCount: 0,
    divideConfig: 0,
    isr: zeros(8),
    tmr: zeros(8),
    irr: zeros(8),
    timer: { mode: 0, divide: 2, period: 0, target: 0, expiresAt: undefined, tscDeadline: 0n, pending: false },
    isrCache: -1,
    ioapicHandled: zeros(8),
    features: { x2apic: true, tscDeadline: true, physicalBits: 46 },
  };
}
