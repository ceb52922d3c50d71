/**
 * The package's door: a run as streams of events and states, recorded or under way; recording and running again; a
 * recorded run to be stood in. docs/streams.md says what of it is stable.
 */
export { Problem } from '../base/problem.ts';
export { openRun, openTrace, powerOn, record, replay, rerun } from './on-node.ts';
export { debugRun, type RunDebugger } from './debug-run.ts';
export { type CrashedDisk, type DiskContent, type DiskPlace, openDisks, type RunDisks } from './run-disks.ts';
export type { EventMark, Moment, ProcessorRegisters } from '../runs/moment.ts';
export type { OpenedRun, RunEnd } from '../runs/underway/open-run.ts';
export type { OpenedTrace, OpenTraceOptions, TraceDescription } from '../runs/recorded/open-trace.ts';
export type { Opened, RunDescription } from '../runs/opened.ts';
export type { Recorded } from '../runs/underway/record.ts';
export type { ImagePaths } from '../runs/machine/images.ts';
export type { RunAccess } from '../runs/recorded/recorded-run.ts';
export type { RanAgain, RunAgainOptions } from '../runs/recorded/run-again.ts';
export type { RunArguments, RunRequest } from '../options/run-request.ts';
export type { MachineDescription } from '../runs/machine/machine-description.ts';
export { sourceName, type Stamped } from '../events/stamped.ts';
export {
  APIC_REGISTERS,
  DELIVERY_MODES,
  EXCEPTIONS,
  IRQCHIPS,
  KVM_EXIT_REASONS as USERSPACE_EXIT_REASONS,
} from '../events/symbols.ts';
export { EXIT_NAMES as EXIT_REASONS } from '../x86/exit-reasons.ts';
export type { EventKind, EventOf, InputKind, MachineEvent } from '../events/vocabulary.ts';
export { digestOf } from '../base/digest.ts';
export { reduce } from '../reducers/evolve.ts';
export { type Slice, slicesOf } from '../reducers/slices.ts';
export type { MachineState } from '../reducers/state.ts';
export { briefOf } from '../replay/export/brief.ts';
export { textOf } from '../replay/export/text.ts';
export { eventCondition as where } from '../replay/expression/event-scope.ts';
export type { Hold } from '../replay/streams/hold.ts';
export { slice$ } from '../replay/streams/states.ts';
export { TraceDamage } from '../replay/trace/damage.ts';
