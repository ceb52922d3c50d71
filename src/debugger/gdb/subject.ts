import type { RecordedTimeline } from '../../host/recorded-run.ts';
import { describeDivergence } from '../../replay/divergence.ts';
import { walkPageTables } from '../page-tables.ts';
import { createTraveller } from './travel.ts';
import type { StubSubject } from './stub.ts';

const PAGE = 4096n;

/** A recorded run as gdb's stub looks at it. */
export function subjectOf(recorded: RecordedTimeline): StubSubject {
  const { timeline, events, verifier } = recorded;
  const { machine } = timeline;
  const last = events[events.length - 1];
  const lastTick = last?.tick ?? 0;
  const traveller = createTraveller({ timeline, lastSeq: last?.seq ?? 0, lastTick });
  return {
    traveller,
    events,
    lastTick,
    vcpus: machine.state.schedule.userspace.length,
    registers: (vcpu) => machine.engine.registers(vcpu),
    activity: (vcpu) => recorded.kvmState().vcpus[vcpu]?.mpState ?? 0,
    moment: () => ({ seq: machine.state.schedule.seq, tick: machine.state.clock.ticks, ns: machine.now() }),
    readMemory: (vcpu, address, length) => readVirtual(recorded, vcpu, address, length),
    problem: () => (verifier.divergence === undefined ? undefined : describeDivergence(verifier.divergence)),
  };
}

/** Bytes at a virtual address, as far as they are mapped; undefined when the first is not. */
function readVirtual(
  recorded: RecordedTimeline,
  vcpu: number,
  address: bigint,
  length: number,
): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const linear = BigInt.asUintN(64, address + BigInt(at));
    const piece = Math.min(length - at, Number(PAGE - (linear % PAGE)));
    const hva = hostAddress(recorded, vcpu, linear);
    if (hva === undefined) break;
    bytes.set(recorded.timeline.machine.engine.readHost(hva, piece), at);
    at += piece;
  }
  return at === 0 && length > 0 ? undefined : bytes.subarray(0, at);
}

/** Through the guest's page tables and KVM's memory slots; undefined for what is not memory. */
function hostAddress(recorded: RecordedTimeline, vcpu: number, linear: bigint): number | undefined {
  const { engine } = recorded.timeline.machine;
  const walked = walkPageTables(engine.registers(vcpu), linear, (gpa, size) => {
    const hva = slotAddress(recorded, gpa);
    if (hva === undefined) return undefined;
    const bytes = engine.readHost(hva, size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, size);
    return size === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  });
  return walked === undefined ? undefined : slotAddress(recorded, walked.gpa);
}

function slotAddress({ kvmState }: RecordedTimeline, gpa: number): number | undefined {
  const gfn = Math.floor(gpa / 4096);
  const slot = kvmState().vm?.slots.find(({ baseGfn, npages }) => gfn >= baseGfn && gfn < baseGfn + npages);
  return slot === undefined ? undefined : slot.hva + gpa - slot.baseGfn * 4096;
}
