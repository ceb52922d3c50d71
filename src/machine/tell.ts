import { type Stamped, vcpuSource } from '../events/stamped.ts';
import { type MachineEvent, VOCABULARY } from '../events/vocabulary.ts';
import type { MachineContext } from './context.ts';

/**
 * The one place where events get their envelope. What follows a VM exit, an input or an expired timer names it as its
 * cause; an exit names its entry, so that the pair spans the time in the guest.
 */
export function stamper(context: MachineContext): (event: MachineEvent) => void {
  return (event) => {
    const { clock, schedule } = context.state;
    const { seq } = schedule;
    schedule.seq = seq + 1;
    const stamped: Stamped = {
      seq,
      tick: clock.ticks,
      source: context.source,
      cause: causeOf(context, event),
      event: owned(event),
    };
    leadOn(context, event, seq);
    context.parts.onEvent(stamped);
  };
}

/** Fields of bytes by kind: whoever raises an event may go on to use them. */
const BYTES: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(VOCABULARY)
    .map(([kind, { fields }]): [string, string[]] => [
      kind,
      Object.entries(fields).flatMap(([name, type]) => (type === 'bytes' ? [name] : [])),
    ])
    .filter(([, names]) => names.length > 0),
);

function owned(event: MachineEvent): MachineEvent {
  const names = BYTES.get(event.kind);
  if (names === undefined) return event;
  const copy = { ...event } as Record<string, unknown>;
  for (const name of names) copy[name] = new Uint8Array(copy[name] as Uint8Array);
  return copy as unknown as MachineEvent;
}

function causeOf(context: MachineContext, event: MachineEvent): number | undefined {
  const cause = event.kind === 'kvm_exit' ? context.state.schedule.entrySeq[event.vcpu_id] : context.cause;
  return cause === undefined || cause < 0 ? undefined : cause;
}

function leadOn(context: MachineContext, event: MachineEvent, seq: number): void {
  const { schedule } = context.state;
  switch (event.kind) {
    case 'kvm_entry':
      schedule.entrySeq[event.vcpu_id] = seq;
      return;
    case 'kvm_exit':
      schedule.exitSeq[event.vcpu_id] = seq;
      context.cause = seq;
      return;
    case 'sim:timer_fire':
    case 'sim:idle_warped':
      context.cause = seq;
      return;
    default:
      return;
  }
}

/** Events from now on belong to this vCPU's thread and follow from its last exit. */
export function onVcpu(context: MachineContext, vcpu: number): void {
  context.source = vcpuSource(vcpu);
  context.cause = context.state.schedule.exitSeq[vcpu];
}
