/** What facts do to the interrupt controllers as a whole: how they come to be, their wiring, and what several share. */
import type { Draft } from '../../base/draft.ts';
import { NONE } from '../../events/origin.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { REQ_EVENT } from '../context.ts';
import { buildRouting, defaultRouting } from '../irqchip/routes.ts';
import { IOAPIC, IOAPIC_PINS, type IrqchipState, PIC_PINS, type PicChip, zeros } from '../irqchip/state.ts';
import type { KvmState } from '../state.ts';
import { unpackRoutes } from '../ioctl/structs.ts';
import * as ioapic from './ioapic.ts';
import * as pic from './pic.ts';
import * as pit from './pit.ts';
import { makeAllRequest } from './requests.ts';

const newPicChip = (elcrMask: number): Draft<PicChip> => ({
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
  causes: new Array<number>(8).fill(NONE),
});

/** PIC pair and IOAPIC in their reset state with KVM's default routing. */
const newIrqchip = (): Draft<IrqchipState> => ({
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
    causes: new Array<number>(IOAPIC_PINS).fill(NONE),
    rtc: { pendingEoi: 0, vcpus: 0, vectors: [] },
  },
  lapics: [],
  pit: undefined,
  routing: defaultRouting(),
  ackNotifiers: [],
});

/** KVM_CREATE_IRQCHIP. */
export function created(kvm: Draft<KvmState>): void {
  kvm.vm!.irqchip = newIrqchip();
}

/** KVM_SET_GSI_ROUTING. */
export function routed(kvm: Draft<KvmState>, { entries }: EventOf<'ioctl:KVM_SET_GSI_ROUTING'>): void {
  const routing = buildRouting(unpackRoutes(entries));
  if (routing !== undefined) kvm.vm!.irqchip!.routing = routing;
}

/** kvm_set_irq: what one source drives, at every pin the GSI is wired to. */
export function lineDriven(kvm: Draft<KvmState>, { gsi, level, irq_source_id: source }: EventOf<'kvm_set_irq'>): void {
  const chip = kvm.vm!.irqchip!;
  const bit = 1 << source;
  for (const route of chip.routing.routes[gsi] ?? []) {
    if (route.type === 'msi') continue;
    const { irqStates } = route.irqchip === IOAPIC ? chip.ioapic : chip.pic;
    irqStates[route.pin] = level !== 0 ? irqStates[route.pin]! | bit : irqStates[route.pin]! & ~bit;
  }
}

/** kvm_set_irq that tells what this source drives already. */
export function isDriven(kvm: KvmState, { gsi, level, irq_source_id: source }: EventOf<'kvm_set_irq'>): boolean {
  const { routing, ioapic: io, pic: pair } = kvm.vm!.irqchip!;
  for (const route of routing.routes[gsi] ?? []) {
    if (route.type === 'msi') continue;
    const { irqStates } = route.irqchip === IOAPIC ? io : pair;
    if (((irqStates[route.pin]! >> source) & 1) !== Math.sign(level)) return false;
  }
  return true;
}

/** kvm_ack_irq. */
export function acknowledged(kvm: Draft<KvmState>, { irqchip, pin }: EventOf<'kvm_ack_irq'>): void {
  if (irqchip !== IOAPIC) pic.ended(kvm, irqchip, pin);
  pit.acknowledged(kvm.vm!.irqchip!, irqchip, pin);
}

/** KVM_SET_IRQCHIP. */
export function restored(kvm: Draft<KvmState>, event: EventOf<'ioctl:KVM_SET_IRQCHIP'>, { seq }: Stamped): void {
  if (event.chip_id === IOAPIC) ioapic.restored(kvm, event.state);
  else pic.restored(kvm, event.chip_id, event.state, seq);
  makeAllRequest(kvm, REQ_EVENT, seq);
}

/** Somebody wants to hear of a GSI's acknowledgements, or no longer does. */
export function notifierSet(chip: Draft<IrqchipState>, gsi: number, wanted: boolean): void {
  chip.ackNotifiers = chip.ackNotifiers.filter((other) => other !== gsi);
  if (wanted) chip.ackNotifiers.push(gsi);
  ioapic.scan(chip);
}
