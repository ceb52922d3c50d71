import { Problem } from '../../base/problem.ts';
import { loadedVmcs } from '../../kvm/vmcs/controls.ts';
import { type ControlField, KEPT } from '../../kvm/vmcs/fields.ts';
import { GUEST_STATE } from '../../kvm/vmcs/guest-state.ts';
import { HOST_STATE } from '../../kvm/vmcs/host-state.ts';
import { type GuestView, registersOf } from '../../machine/guest-view.ts';
import { type FieldName, FIELDS } from '../../x86/vmcs-fields.ts';
import { viewOf } from './view.ts';

/** A field by the SDM's name. */
interface FieldSeen {
  readonly name: string;
  readonly value: number | bigint;
}

/** What KVM wrote, and the guest's state as an exit would save it. */
interface VmcsSeen {
  readonly controls: readonly FieldSeen[];
  readonly guest: readonly FieldSeen[];
  readonly host: readonly FieldSeen[];
}

function vmcsSeen(view: GuestView, vcpu: number): VmcsSeen {
  const state = view.machine.state.kvm.vcpus[vcpu];
  if (state === undefined) throw new Problem(`There is no VMCS for processor ${vcpu}.`);
  const vmcs = loadedVmcs(state);
  const controls = (Object.entries(KEPT) as [ControlField, FieldName][])
    .sort(([, a], [, b]) => FIELDS[a].encoding - FIELDS[b].encoding)
    .map(([kept, name]): FieldSeen => ({ name, value: vmcs[kept] }));
  const registers = registersOf(view, vcpu);
  const guest = [...GUEST_STATE].map(([name, read]): FieldSeen => ({ name, value: read(registers) }));
  const host = Object.entries(HOST_STATE).map(([name, value]): FieldSeen => ({ name, value }));
  return { controls, guest, host };
}

function vmcsText({ controls, guest, host }: VmcsSeen): string {
  const lines = (fields: readonly FieldSeen[]): string[] =>
    fields.map(({ name, value }) => `  ${name.padEnd(28)} 0x${value.toString(16)}`);
  return ['controls', ...lines(controls), 'guest state', ...lines(guest), 'host state', ...lines(host)].join('\n');
}

export const VMCS = viewOf({
  usage: 'vmcs',
  help: "the processor's VMCS",
  ofEachVcpu: true,
  look: ({ view, vcpu }) => vmcsSeen(view, vcpu),
  print: vmcsText,
});
