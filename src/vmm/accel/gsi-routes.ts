/** One entry of the table that KVM_SET_GSI_ROUTING takes. */
export type GsiRoute = { readonly gsi: number } & (
  | { readonly type: 'irqchip'; readonly irqchip: number; readonly pin: number }
  | { readonly type: 'msi'; readonly addressLow: number; readonly addressHigh: number; readonly data: number }
);

/** GSIs 0-15 lead to the two PICs and the IOAPIC alike, but GSI 0 to IOAPIC pin 2; 16-23 to the IOAPIC alone. */
export function pcRoutes(): GsiRoute[] {
  const routes: GsiRoute[] = [];
  for (let gsi = 0; gsi < 16; gsi++) {
    if (gsi !== 2) routes.push({ gsi, type: 'irqchip', irqchip: gsi >> 3, pin: gsi & 7 });
  }
  for (let gsi = 0; gsi < 24; gsi++) {
    if (gsi !== 2) routes.push({ gsi, type: 'irqchip', irqchip: 2, pin: gsi === 0 ? 2 : gsi });
  }
  return routes;
}
