import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { VOCABULARY } from '../../../src/events/vocabulary.ts';
import type { GsiRoutingEntry, IrqchipState, IrqEffects } from '../../../src/kvm/irqchip/index.ts';
import {
  acknowledgeInterrupt,
  addLapic,
  createIrqchip,
  lapicMmioRead,
  lapicMmioWrite,
  setGsiRouting,
} from '../../../src/kvm/irqchip/index.ts';

/** A chip with its effects written down, and a clock the test moves. */
export interface Rig {
  readonly chip: IrqchipState;
  readonly fx: IrqEffects;
  readonly events: MachineEvent[];
  /** 'kick 0', 'nmi 1', 'init 1', 'sipi 1 9f', 'unhalt 1', 'acked 5'. */
  readonly heard: string[];
  clock: number;
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

/** An irqchip with `vcpus` LAPICs, software-enabled as a kernel leaves them. */
export function rig(vcpus = 1, routes: readonly GsiRoutingEntry[] = pcRoutes()): Rig {
  const events: MachineEvent[] = [];
  const heard: string[] = [];
  const chip = createIrqchip();
  const made: Rig = { chip, fx: effects(() => made.clock, events, heard), events, heard, clock: 1_000_000 };
  setGsiRouting(chip, routes);
  for (let i = 0; i < vcpus; i++) {
    addLapic(chip);
    lapicMmioWrite(chip, i, 0xf0, 4, 0x1ff, made.fx);
  }
  events.length = 0;
  heard.length = 0;
  return made;
}

function effects(now: () => number, events: MachineEvent[], heard: string[]): IrqEffects {
  return {
    now,
    guestTsc: () => BigInt(now()) * 2n,
    raise: (event) => void events.push(event),
    kick: (vcpu) => void heard.push(`kick ${vcpu}`),
    nmi: (vcpu) => void heard.push(`nmi ${vcpu}`),
    init: (vcpu) => void heard.push(`init ${vcpu}`),
    sipi: (vcpu, vector) => void heard.push(`sipi ${vcpu} ${vector.toString(16)}`),
    unhalt: (vcpu) => void heard.push(`unhalt ${vcpu}`),
    acked: (gsi) => void heard.push(`acked ${gsi}`),
  };
}

/** The events so far as the kernel prints them; forgets them. */
export function printed(r: Rig): string[] {
  const lines = r.events.map((event) => {
    const row = VOCABULARY[event.kind] as unknown as { print: (e: MachineEvent) => string };
    return `${event.kind}: ${row.print(event)}`;
  });
  r.events.length = 0;
  return lines;
}

/** Read a LAPIC register in xAPIC mode. */
export const readApic = (r: Rig, vcpu: number, offset: number): number => lapicMmioRead(r.chip, vcpu, offset, 4, r.fx);

/** Write a LAPIC register in xAPIC mode. */
export const writeApic = (r: Rig, vcpu: number, offset: number, value: number): void =>
  lapicMmioWrite(r.chip, vcpu, offset, 4, value, r.fx);

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

const take = (r: Rig, vcpu: number): number => acknowledgeInterrupt(r.chip, vcpu, r.fx);
