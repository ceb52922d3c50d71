import { Problem } from '../../base/problem.ts';
import { type ControlField, ENCODINGS } from '../../kvm/vmcs/fields.ts';
import { HOST_STATE } from '../../kvm/vmcs/host-state.ts';
import { type GuestView, registersOf } from '../../machine/guest-view.ts';
import type { Registers } from '../../x86/guest.ts';
import { viewOf } from './view.ts';

const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDTR', 'TR'] as const;

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
  const controls = (Object.keys(ENCODINGS) as ControlField[])
    .sort((a, b) => ENCODINGS[a].encoding - ENCODINGS[b].encoding)
    .map((name): FieldSeen => ({ name: ENCODINGS[name].name, value: state.vmcs[name] }));
  const host = Object.entries(HOST_STATE).map(([name, value]) => ({ name: `HOST_${constantCase(name)}`, value }));
  return { controls, guest: guestFields(registersOf(view, vcpu)), host };
}

const constantCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

function guestFields(registers: Registers): FieldSeen[] {
  const fields: [string, number | bigint][] = [
    ['GUEST_RIP', registers.rip],
    ['GUEST_RSP', registers.gpr(4)],
    ['GUEST_RFLAGS', registers.rflags],
    ['GUEST_CR0', registers.cr0],
    ['GUEST_CR3', registers.cr3],
    ['GUEST_CR4', registers.cr4],
    ['GUEST_IA32_EFER', registers.efer],
    ['GUEST_DR7', registers.dr(7)],
    ['GUEST_INTERRUPTIBILITY_INFO', registers.interruptibility],
    ['GUEST_ACTIVITY_STATE', registers.activity],
    ['GUEST_GDTR_BASE', registers.gdtr.base],
    ['GUEST_GDTR_LIMIT', registers.gdtr.limit],
    ['GUEST_IDTR_BASE', registers.idtr.base],
    ['GUEST_IDTR_LIMIT', registers.idtr.limit],
  ];
  for (const [index, name] of SEGMENTS.entries()) {
    const { selector, base, limit, access } = registers.segment(index);
    fields.push([`GUEST_${name}_SELECTOR`, selector], [`GUEST_${name}_BASE`, base]);
    fields.push([`GUEST_${name}_LIMIT`, limit], [`GUEST_${name}_AR_BYTES`, access]);
  }
  return fields.map(([name, value]) => ({ name, value }));
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
