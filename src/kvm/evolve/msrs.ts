/** What sim:msr_set does: by number, where KVM keeps the register and what follows from its value. */
import type { Draft } from '../../base/draft.ts';
import type { Seq } from '../../base/units.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { SYSTEM_TIME, WALL_CLOCK } from '../clock/paravirt-msrs.ts';
import { REQ_GLOBAL_CLOCK_UPDATE, REQ_STEAL_UPDATE } from '../context.ts';
import { FIRST_BANK, STORED } from '../vcpu/msrs.ts';
import { FIRST_VARIABLE, FIXED } from '../vcpu/mtrr.ts';
import type { KvmState, VcpuState } from '../state.ts';
import { deadlineWritten } from './lapic.ts';
import { makeRequest } from './requests.ts';
import { MSR, MSR_KVM } from '../../x86/msrs.ts';

type Vcpu = Draft<VcpuState>;
type Setter = (vcpu: Vcpu, data: bigint, seq: Seq, kvm: Draft<KvmState>) => void;

const MTRRS = 16;
const BANKS = 128;

const PARAVIRT: readonly (readonly [number, Setter])[] = [
  ...WALL_CLOCK.map((index): readonly [number, Setter] => [
    index,
    (_vcpu, data, _seq, kvm) => {
      kvm.vm!.clock.wallClockMsr = data;
    },
  ]),
  ...SYSTEM_TIME.map((index): readonly [number, Setter] => [
    index,
    (vcpu, data, seq) => {
      vcpu.pv.systemTimeMsr = data;
      makeRequest(vcpu, REQ_GLOBAL_CLOCK_UPDATE, seq);
    },
  ]),
  [
    MSR_KVM.STEAL_TIME,
    (vcpu, data, seq) => {
      vcpu.pv.stealMsr = data;
      makeRequest(vcpu, REQ_STEAL_UPDATE, seq);
    },
  ],
  [
    MSR_KVM.PV_EOI_EN,
    (vcpu, data) => {
      vcpu.pv.eoiMsr = data;
      vcpu.pv.eoiPending = false;
    },
  ],
  [
    MSR_KVM.POLL_CONTROL,
    (vcpu, data) => {
      vcpu.pv.pollControl = data;
    },
  ],
];

const span = (first: number, count: number, setter: (at: number) => Setter): (readonly [number, Setter])[] =>
  Array.from({ length: count }, (_, at) => [first + at, setter(at)]);

const SETTERS: ReadonlyMap<number, Setter> = new Map<number, Setter>([
  ...PARAVIRT,
  ...Object.entries(STORED).map(([index, name]): readonly [number, Setter] => [
    Number(index),
    (vcpu, data) => {
      vcpu.msrs[name] = data;
    },
  ]),
  ...FIXED.map((index, at): readonly [number, Setter] => [
    index,
    (vcpu, data) => {
      vcpu.msrs.mtrrFixed[at] = data;
    },
  ]),
  ...span(FIRST_VARIABLE, MTRRS, (at) => (vcpu, data) => {
    vcpu.msrs.mtrrVariable[at] = data;
  }),
  ...span(FIRST_BANK, BANKS, (at) => (vcpu, data) => {
    vcpu.msrs.mcBanks[at] = data;
  }),
  [MSR.TSC_DEADLINE, (vcpu, data, _seq, kvm) => deadlineWritten(kvm, vcpu.index, data)],
]);

/** sim:msr_set. */
export function msrSet(kvm: Draft<KvmState>, event: EventOf<'sim:msr_set'>, { seq }: Stamped): void {
  SETTERS.get(event.index)?.(kvm.vcpus[event.vcpu_id]!, event.data, seq, kvm);
}
