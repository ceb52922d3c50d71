import type { KVM_FACTS } from '../../events/kvm-facts.ts';
import * as emulation from '../../kvm/evolve/emulation.ts';
import * as files from '../../kvm/evolve/files.ts';
import * as ioapic from '../../kvm/evolve/ioapic.ts';
import * as lapic from '../../kvm/evolve/lapic.ts';
import * as memslots from '../../kvm/evolve/memslots.ts';
import * as msrs from '../../kvm/evolve/msrs.ts';
import * as pic from '../../kvm/evolve/pic.ts';
import * as pit from '../../kvm/evolve/pit.ts';
import * as requests from '../../kvm/evolve/requests.ts';
import * as runPage from '../../kvm/evolve/run-page.ts';
import * as vcpu from '../../kvm/evolve/vcpu.ts';
import * as vm from '../../kvm/evolve/vm.ts';
import { changes, kvm, ofVcpu, type Rows, tells } from '../row.ts';
import * as threads from '../threads.ts';

export const KVM_FACT_ROWS: Rows<keyof typeof KVM_FACTS> = {
  'sim:vmcs_write': changes(['vcpu'], kvm(vcpu.fieldWritten)),
  'sim:vmentry_check': changes(['vcpu'], kvm(vcpu.entryFailed)),
  'sim:hypercall_ret': tells,
  'sim:request': changes(['vcpu'], kvm(requests.requested)),
  'sim:requests_served': changes(['vcpu'], kvm(requests.served)),
  'sim:exception_queued': changes(['vcpu'], kvm(vcpu.exceptionQueued)),
  'sim:delivery_ended': changes(['vcpu'], kvm(vcpu.deliveryEnded)),
  'sim:triple_fault': changes(['vcpu'], kvm(vcpu.tripleFaulted)),
  'sim:nmi_pending': changes(['vcpu'], kvm(vcpu.nmiPending)),
  'sim:inj_nmi': changes(['vcpu'], kvm(vcpu.nmiInjected)),
  'sim:intack': changes(['pic', 'lapics', 'vcpus'], kvm(vcpu.interruptTaken)),
  'sim:mp_state': changes(['vcpu'], kvm(vcpu.stateSet)),
  'sim:vcpu_blocked': changes(['vcpu'], kvm(vcpu.blocked)),
  'sim:init': changes(['lapics', 'vcpus'], kvm(vcpu.initialized)),
  'sim:sipi': changes(['vcpu'], kvm(vcpu.started)),
  'sim:stolen': changes(['vcpu'], kvm(vcpu.stolen)),
  'sim:steal_time': tells,
  'sim:pv_eoi': changes(['vcpu'], kvm(vcpu.eoiOffered)),
  'sim:msr_set': changes(['vm', 'lapics', 'vcpus'], kvm(msrs.msrSet)),
  'sim:tsc_adjust': changes(['vcpu'], kvm(vcpu.tscAdjusted)),
  'sim:xcr0': changes(
    ['vcpu'],
    kvm((state, { vcpu_id: index, value }) => vcpu.xcr0Set(state, index, value)),
  ),
  'sim:guest_dr': changes(['vcpu'], kvm(vcpu.ownRegisterSet)),
  'sim:apic_base': changes(['lapics', 'vcpus'], kvm(vm.apicBaseSet)),
  'sim:tpr': changes(['lapics', 'vcpus'], kvm(vm.taskPrioritySet)),
  'sim:apic_error': changes(['lapics'], kvm(lapic.errorLogged)),
  'sim:lapic_timer_delivered': changes(['lapics'], kvm(lapic.timerDelivered)),
  'sim:pic_write': changes(['pic', 'pit', 'vcpus'], kvm(pic.written)),
  'sim:pic_poll': changes(['pic'], kvm(pic.polled)),
  'sim:pic_intr': changes(['pic', 'vcpus'], kvm(pic.intrRefreshed)),
  'sim:ioapic_write': changes(['ioapic', 'lapics', 'pit'], kvm(ioapic.written)),
  'sim:ioapic_line': changes(['ioapic'], kvm(ioapic.lineLatched)),
  'sim:ioapic_delivered': changes(['ioapic'], kvm(ioapic.delivered)),
  'sim:ioapic_eoi': changes(['ioapic'], kvm(ioapic.ended)),
  'sim:ioapic_restored': changes(['ioapic'], kvm(ioapic.rtcRestored)),
  'sim:pit_write': changes(['pit'], kvm(pit.written)),
  'sim:pit_read': changes(['pit'], kvm(pit.read)),
  'sim:pit_load': changes(['pit'], kvm(pit.loaded)),
  'sim:pit_latch': changes(['pit'], kvm(pit.latched)),
  'sim:pit_speaker': changes(['pit'], kvm(pit.speakerWritten)),
  'sim:page_dirty': changes(['vm'], kvm(memslots.pageWritten)),
  'sim:fd_open': changes(['files'], kvm(files.opened)),
  'sim:ioctl': tells,
  'sim:eventfd_signal': changes(['schedule', 'files'], kvm(files.signalled), threads.workCame),
  'sim:eventfd_consume': changes(['schedule', 'files'], kvm(files.consumed), threads.workTaken),
  'sim:coalesced_write': changes(['vm'], kvm(files.writeWaits)),
  'sim:coalesced_taken': changes(['vm'], kvm(files.writeTaken)),
  'sim:run_debug': changes(['vcpu'], kvm(runPage.debugTold)),
  'sim:run_internal_error': changes(['vcpu'], kvm(runPage.errorTold)),
  'sim:run_fail_entry': changes(['vcpu'], kvm(runPage.failureTold)),
  'sim:run_msr': changes(['vcpu'], kvm(runPage.msrTold)),
  'sim:register_read': tells,
  'sim:segment_read': tells,
  'sim:xsave_read': tells,
  'sim:position_read': tells,
  'sim:emulated': changes(['vcpu'], ofVcpu(emulation.emulated)),
  'sim:emulation_exited': changes(['vcpu'], ofVcpu(emulation.exited)),
  'sim:task_switched': tells,
  'sim:memory_read': tells,
  'sim:translated': tells,
};
