import type { KVM_EVENTS } from '../../events/kvm.ts';
import { vcpuOf } from '../../events/stamped.ts';
import * as emulation from '../../kvm/evolve/emulation.ts';
import * as irqchip from '../../kvm/evolve/irqchip.ts';
import * as lapic from '../../kvm/evolve/lapic.ts';
import * as pic from '../../kvm/evolve/pic.ts';
import * as runPage from '../../kvm/evolve/run-page.ts';
import * as vcpu from '../../kvm/evolve/vcpu.ts';
import * as vm from '../../kvm/evolve/vm.ts';
import { changes, changesUnless, ITSELF, kvm, ofVcpu, reaching, type Rows, RUN_PAGE, tells } from '../row.ts';
import * as run from '../run.ts';

export const KVM_ROWS: Rows<keyof typeof KVM_EVENTS> = {
  kvm_entry: reaching(() => ITSELF, changes(['vcpu'], kvm(vcpu.entered))),
  kvm_exit: reaching(
    (state, event) => (vcpu.leavesInterrupts(state, event) ? undefined : ITSELF),
    changes(['clock', 'vcpu'], run.exitTakesTime, kvm(vcpu.left)),
  ),
  kvm_userspace_exit: reaching(() => RUN_PAGE, changes(['clock', 'vcpu'], run.tripTakesTime, kvm(runPage.returned))),
  kvm_pio: changesUnless(
    (_state, { rw, data }) => rw !== 0 || data.length === 0,
    ['vcpu'],
    ofVcpu(emulation.stringRead),
  ),
  kvm_mmio: changes(['vcpu'], ofVcpu(emulation.accessed)),
  kvm_fast_mmio: changes(['vcpu'], ofVcpu(emulation.fastWritten)),
  kvm_msr: tells,
  kvm_cr: tells,
  kvm_cpuid: tells,
  kvm_hypercall: tells,
  kvm_emulate_insn: tells,
  kvm_inj_virq: changes(
    ['vcpu'],
    kvm((state, _event, { source, seq }) => vcpu.interruptInjected(state, vcpuOf(source), seq)),
  ),
  kvm_inj_exception: changes(
    ['vcpu'],
    kvm((state, _event, { source, seq }) => vcpu.exceptionInjected(state, vcpuOf(source), seq)),
  ),
  kvm_page_fault: tells,
  kvm_set_irq: changesUnless(
    ({ kvm: state }, event) => irqchip.isDriven(state, event),
    ['pic', 'ioapic'],
    kvm(irqchip.lineDriven),
  ),
  kvm_pic_set_irq: changesUnless(
    ({ kvm: state }, event) => pic.isSettled(state, event),
    ['pic', 'vcpus'],
    kvm(pic.lineMoved),
  ),
  kvm_ioapic_set_irq: tells,
  kvm_ioapic_delayed_eoi_inj: tells,
  kvm_msi_set_irq: tells,
  kvm_ack_irq: changes(['pic', 'pit'], kvm(irqchip.acknowledged)),
  kvm_eoi: changes(['ioapic', 'lapics', 'vcpus'], kvm(lapic.ended)),
  kvm_pv_eoi: tells,
  kvm_apic: changesUnless(
    (_state, { rw }) => rw === 0,
    ['lapics', 'vcpus'],
    kvm((state, event, { source, seq }) => lapic.registerWritten(state, event, vcpuOf(source), seq)),
  ),
  kvm_apic_ipi: tells,
  kvm_apic_accept_irq: changes(['ioapic', 'lapics', 'vcpus'], kvm(lapic.accepted)),
  kvm_pvclock_update: changes(['vcpu'], kvm(vcpu.clockUpdated)),
  kvm_write_tsc_offset: changes(['vcpu'], kvm(vcpu.tscMoved)),
  kvm_track_tsc: tells,
  kvm_update_master_clock: changes(['vm', 'vcpus'], kvm(vm.masterClockUpdated)),
  kvm_vcpu_wakeup: changes(['vcpu'], kvm(vcpu.woken)),
  kvm_ple_window_update: tells,
};
