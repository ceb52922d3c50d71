/** KVM's in-kernel interrupt controllers, as the rest of KVM uses them. */
export { getIoapic, getLapic, getPic, setIoapic, setLapic, setPic } from './blobs.ts';
export {
  acknowledgeInterrupt,
  expireIrqchip,
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
export { lapicTimer, stopTimer as stopLapicTimer, tscDeadlineRead, tscDeadlineWrite } from './lapic-timer.ts';
export { apicBaseWrite } from './lapic-reset.ts';
export { getPit2, setPit2 } from './pit.ts';
export { irqchipPortRead, irqchipPortWrite } from './ports.ts';
export { buildRouting, type GsiRoutingEntry } from './routes.ts';
export { kickCpu, pulseGsi, sendMsi, sendPvIpi, setIrqLine } from './routing.ts';
export type { GsiRoute, IrqchipState, LapicFeatures, LapicState } from './state.ts';
export { IOAPIC, RESAMPLE_SOURCE, USERSPACE_SOURCE } from './state.ts';
