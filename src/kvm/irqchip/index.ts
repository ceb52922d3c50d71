/** KVM's in-kernel interrupt controllers, as the rest of KVM uses them. */
export { getPit2, setPit2, setPitReinject } from '../pit.ts';
export { getIoapic, getLapic, getPic, setIoapic, setLapic, setPic } from './blobs.ts';
export { addLapic, createIrqchip, createKvmPit } from './create.ts';
export type { IrqEffects } from './effects.ts';
export {
  acknowledgeInterrupt,
  expireIrqchip,
  irqchipDeadline,
  pendingInterrupt,
  pulseLint1,
  pvEoiCandidate,
  taskPriority,
  tprThreshold,
  writeTaskPriority,
} from './interrupt.ts';
export { IOAPIC_BASE, IOAPIC_LENGTH, ioapicRead, ioapicWrite } from './ioapic.ts';
export {
  lapicMmioBase,
  lapicMmioRead,
  lapicMmioWrite,
  lapicMsrRead,
  lapicMsrWrite,
  writeEoi,
} from './lapic-registers.ts';
export { tscDeadlineRead, tscDeadlineWrite } from './lapic-timer.ts';
export { apicBaseRead, apicBaseWrite, resetLapic, setLapicFeatures } from './lapic-reset.ts';
export { picRead, picWrite } from './pic.ts';
export { irqchipPortRead, irqchipPortWrite } from './ports.ts';
export type { GsiRoutingEntry } from './routes.ts';
export { kickCpu, sendMsi, sendPvIpi, setAckNotifier, setGsiRouting, setIrqLine } from './routing.ts';
export type { GsiRoute, IrqchipState, LapicFeatures, LapicState } from './state.ts';
export { PIC_MASTER, PIC_SLAVE, IOAPIC, PIT_SOURCE, RESAMPLE_SOURCE, USERSPACE_SOURCE } from './state.ts';
