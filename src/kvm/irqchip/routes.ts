import type { Draft } from '../../base/draft.ts';
import type { GsiRoute, GsiRouting } from './state.ts';
import { IOAPIC, IOAPIC_PINS, PIC_MASTER, PIC_PINS, PIC_SLAVE } from './state.ts';

/** KVM_MAX_IRQ_ROUTES. */
const MAX_ROUTES = 4096;

/** struct kvm_irq_routing_entry. */
export type GsiRoutingEntry = { readonly gsi: number } & GsiRoute;

function emptyRouting(): Draft<GsiRouting> {
  const noGsi = (pins: number): number[] => new Array<number>(pins).fill(-1);
  return { routes: [], pinGsi: [noGsi(PIC_PINS), noGsi(PIC_PINS), noGsi(IOAPIC_PINS)] };
}

/** A pin counted within its own chip, 0..15 over both PICs; -1 when there is none. */
function chipPin(route: GsiRoute & { type: 'irqchip' }): number {
  if (route.pin < 0) return -1;
  if (route.irqchip === IOAPIC) return route.pin < IOAPIC_PINS ? route.pin : -1;
  if (route.irqchip !== PIC_MASTER && route.irqchip !== PIC_SLAVE) return -1;
  return route.pin < 8 ? route.pin + route.irqchip * 8 : -1;
}

/** One GSI leads to one MSI, or to at most one pin of each chip. */
function clashes(present: readonly GsiRoute[], route: GsiRoute): boolean {
  return present.some((other) => other.type === 'msi' || route.type === 'msi' || other.irqchip === route.irqchip);
}

/** Build the table of KVM_SET_GSI_ROUTING, or undefined when KVM answers EINVAL. */
export function buildRouting(entries: readonly GsiRoutingEntry[]): Draft<GsiRouting> | undefined {
  const routing = emptyRouting();
  for (const entry of entries) {
    if (entry.gsi < 0 || entry.gsi >= MAX_ROUTES) return undefined;
    while (routing.routes.length <= entry.gsi) routing.routes.push([]);
    const present = routing.routes[entry.gsi]!;
    if (clashes(present, entry)) return undefined;
    if (entry.type === 'msi') {
      const { addressLow, addressHigh, data } = entry;
      present.push({ type: 'msi', addressLow, addressHigh, data });
      continue;
    }
    const pin = chipPin(entry);
    if (pin < 0) return undefined;
    routing.pinGsi[entry.irqchip]![pin] = entry.gsi;
    present.push({ type: 'irqchip', irqchip: entry.irqchip, pin });
  }
  return routing;
}

/** KVM's table before user space sets its own: GSI n is IOAPIC pin n, and below 16 PIC pin n too. */
function defaultRoutes(): GsiRoutingEntry[] {
  const entries: GsiRoutingEntry[] = [];
  for (let gsi = 0; gsi < IOAPIC_PINS; gsi++) {
    entries.push({ gsi, type: 'irqchip', irqchip: IOAPIC, pin: gsi });
    if (gsi < PIC_PINS) entries.push({ gsi, type: 'irqchip', irqchip: gsi >> 3, pin: gsi & 7 });
  }
  return entries;
}

/** The routing of a new irqchip. */
export function defaultRouting(): Draft<GsiRouting> {
  return buildRouting(defaultRoutes()) ?? emptyRouting();
}
