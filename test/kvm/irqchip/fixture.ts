import { TIMER } from '../../../src/events/stamped.ts';
import { type MachineEvent, VOCABULARY } from '../../../src/events/vocabulary.ts';
import { type KvmContext, REQ_EVENT } from '../../../src/kvm/context.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import {
  acknowledgeInterrupt,
  apicBaseWrite,
  type GsiRoutingEntry,
  type IrqchipState,
  lapicMmioRead,
  lapicMmioWrite,
  lapicMsrRead,
  lapicMsrWrite,
  pendingInterrupt,
} from '../../../src/kvm/irqchip/index.ts';
import { createFakeGuest } from '../fake-guest.ts';
import { type Stage, stage, withVm } from '../stage.ts';

/** The interrupt controllers of a VM that never runs. */
export interface Rig extends Stage {
  /** As it is now. */
  readonly chip: IrqchipState;
  readonly vm: number;
  readonly vcpus: readonly number[];
  /** KVM on a vCPU's thread. */
  on(vcpu: number): KvmContext;
}

/** The table of a PC as QEMU sets it: GSI 0 is IOAPIC pin 2, GSI 2 leads nowhere. */
function pcRoutes(): GsiRoutingEntry[] {
  const gsis = [...Array(24).keys()].filter((gsi) => gsi !== 2);
  return [
    ...gsis.filter((gsi) => gsi < 16).map((gsi) => toPin(gsi, gsi >> 3, gsi & 7)),
    ...gsis.map((gsi) => toPin(gsi, 2, gsi === 0 ? 2 : gsi)),
  ];
}

const toPin = (gsi: number, irqchip: number, pin: number): GsiRoutingEntry => ({ gsi, type: 'irqchip', irqchip, pin });

const START = 1_000_000;

/** An irqchip with `vcpus` LAPICs as they come up. */
export function fresh(vcpus = 1): Rig {
  const made = stage(() => createFakeGuest());
  const fds = withVm(made, { vcpus });
  made.passTo(START);
  const views = fds.vcpus.map((_, vcpu) => made.context.from(made.onThread(vcpu)));
  return {
    ...made,
    ...fds,
    get state() {
      return made.state;
    },
    get chip() {
      return made.state.vm!.irqchip!;
    },
    on: (vcpu) => views[vcpu]!,
  };
}

/** The same, wired and software-enabled as a kernel leaves it. */
export function rig(vcpus = 1, entries: readonly GsiRoutingEntry[] = pcRoutes()): Rig {
  const r = fresh(vcpus);
  r.kvm.ioctl(r.vm, io.KVM_SET_GSI_ROUTING, { entries });
  for (let vcpu = 0; vcpu < vcpus; vcpu++) writeApic(r, vcpu, 0xf0, 0x1ff);
  forget(r);
  return r;
}

/** What was told is forgotten, and so are requests for an entry. */
export function forget(r: Rig): void {
  r.state.vcpus.forEach(({ requests }, vcpu) => {
    if (requests !== 0) r.on(vcpu).raise({ kind: 'sim:requests_served', vcpu_id: vcpu, requests });
  });
  r.events.length = 0;
  r.stamped.length = 0;
}

/** A vCPU is to look at its events before the next entry. */
export const isKicked = (r: Rig, vcpu: number): boolean => (r.state.vcpus[vcpu]!.requests & REQ_EVENT) !== 0;

/** Delivery modes that go past the IRR, as they stand in bits 10:8. */
const BESIDE_IRR: Readonly<Record<number, string>> = { 3: 'unhalt', 4: 'nmi', 5: 'init', 6: 'sipi' };

/** What reached processors beside the IRR: 'nmi 1', 'init 1', 'sipi 1 9f', 'unhalt 1'. */
export const reaching = (r: Rig): string[] =>
  r.events.flatMap((event) => {
    if (event.kind !== 'kvm_apic_accept_irq' || !event.accepted) return [];
    const name = BESIDE_IRR[event.dm >> 8];
    if (name === undefined) return [];
    return [`${name} ${event.apicid}${name === 'sipi' ? ` ${event.vec.toString(16)}` : ''}`];
  });

/** The same as the processors hold it. */
export const held = (r: Rig): string[] =>
  r.state.vcpus.flatMap(({ events: { nmi, initPending, sipiPending, sipiVector, unhalted } }, vcpu) => [
    ...(unhalted ? [`unhalt ${vcpu}`] : []),
    ...(nmi.pending > 0 ? [`nmi ${vcpu}`] : []),
    ...(initPending ? [`init ${vcpu}`] : []),
    ...(sipiPending ? [`sipi ${vcpu} ${sipiVector.toString(16)}`] : []),
  ]);

const isTracepoint = ({ kind }: MachineEvent): boolean => kind.startsWith('kvm_');

/** The tracepoints so far as the kernel prints them; forgets them. */
export function printed(r: Rig): string[] {
  const lines = r.events.filter(isTracepoint).map((event) => {
    const row = VOCABULARY[event.kind] as unknown as { print: (e: MachineEvent) => string };
    return `${event.kind}: ${row.print(event)}`;
  });
  r.events.length = 0;
  return lines;
}

/** The vector a vCPU would be interrupted with, or -1. */
export const pending = (r: Rig, vcpu = 0): number => pendingInterrupt(r.chip, vcpu);

/** The vCPU takes its interrupt. Returns the vector, or -1. */
export const take = (r: Rig, vcpu = 0): number => acknowledgeInterrupt(r.on(vcpu), vcpu);

/** Read a LAPIC register in xAPIC mode. */
export const readApic = (r: Rig, vcpu: number, offset: number): number => lapicMmioRead(r.on(vcpu), vcpu, offset, 4);

/** Write a LAPIC register in xAPIC mode. */
export const writeApic = (r: Rig, vcpu: number, offset: number, value: number): void =>
  lapicMmioWrite(r.on(vcpu), vcpu, offset, 4, value);

/** IA32_APIC_BASE. */
export const baseOf = (r: Rig, vcpu = 0): number => r.chip.lapics[vcpu]!.apicBase;

/** The guest writes IA32_APIC_BASE. False: #GP. */
export const setBase = (r: Rig, value: bigint, vcpu = 0): boolean => apicBaseWrite(r.on(vcpu), vcpu, value);

const EXTD = 0x400n;

/** A rig whose APICs are all in x2APIC mode. */
export function x2apic(vcpus = 1): Rig {
  const r = rig(vcpus);
  for (let vcpu = 0; vcpu < vcpus; vcpu++) setBase(r, BigInt(baseOf(r, vcpu)) | EXTD, vcpu);
  forget(r);
  return r;
}

/** Read a LAPIC register in x2APIC mode. Undefined: #GP. */
export const rdmsr = (r: Rig, vcpu: number, msr: number): bigint | undefined => lapicMsrRead(r.on(vcpu), vcpu, msr);

/** Write a LAPIC register in x2APIC mode. False: #GP. */
export const wrmsr = (r: Rig, vcpu: number, msr: number, value: bigint): boolean =>
  lapicMsrWrite(r.on(vcpu), vcpu, msr, value);

/** Send an IPI in xAPIC mode. */
export function sendIpi(r: Rig, vcpu: number, icr: number, destination = 0): void {
  writeApic(r, vcpu, 0x310, (destination << 24) >>> 0);
  writeApic(r, vcpu, 0x300, icr);
}

/** Take every interrupt a vCPU has, ending each: the vectors in the order served. */
export function serveAll(r: Rig, vcpu = 0): number[] {
  const served: number[] = [];
  for (let vector = take(r, vcpu); vector >= 0 && served.length < 100; vector = take(r, vcpu)) {
    served.push(vector);
    writeApic(r, vcpu, 0xb0, 0);
  }
  return served;
}

/** Time passes, and every timer that is due by then fires when it is. */
export function pass(r: Rig, ns: number): void {
  r.passTo(r.machine.now() + ns);
  while (r.machine.nextDeadline() <= r.machine.now()) r.machine.kvm.expire(r.origin.by(TIMER));
}
