import { capabilityOf, causeOf, isMasked, isMsixOn, isPending, messageOf } from '../../devices/pci/index.ts';
import type { GuestView } from '../../machine/guest-view.ts';
import { deliveryMode, hex } from './interrupt-words.ts';
import { type FunctionSeen, functionsOf, named } from './parts.ts';
import { viewOf } from './view.ts';

/** An entry of a function's table. */
interface VectorSeen {
  readonly vector: number;
  readonly address: bigint;
  readonly data: number;
  readonly isMasked: boolean;
  readonly isPending: boolean;
  /** The event that raised it, while it waits. */
  readonly cause: number | undefined;
  /** What KVM sends for it by itself. */
  readonly route: { readonly gsi: number | undefined; readonly fd: number; readonly isIrqfd: boolean } | undefined;
  /** What it is for, where the device says so. */
  readonly use: readonly string[];
}

/** A function with MSI-X. */
interface MsixSeen {
  readonly device: string;
  readonly isOn: boolean;
  readonly isFunctionMasked: boolean;
  readonly vectors: readonly VectorSeen[];
}

const FUNCTION_MASK = 0x40;

function msixSeen(view: GuestView, seen: FunctionSeen): MsixSeen[] {
  const { part, pci, state } = seen;
  const row = capabilityOf(pci.capabilities ?? [], 'msix');
  if (row === undefined) return [];
  const { msiRoutes } = view.machine.state.vmm;
  const vectors = Array.from({ length: row.vectors }, (_, vector): VectorSeen => {
    const route = msiRoutes[`${part.name}.${vector}`];
    const waits = isPending(state, row, vector);
    return {
      vector,
      ...messageOf(state, row, vector),
      isMasked: isMasked(state, row, vector),
      isPending: waits,
      cause: waits ? causeOf(state, row, vector) : undefined,
      route: route && { gsi: route.gsi, fd: route.fd, isIrqfd: route.bound },
      use: usesOf(seen, vector),
    };
  });
  const isFunctionMasked = (state.config[row.offset + 3]! & FUNCTION_MASK) !== 0;
  return [{ device: part.name, isOn: isMsixOn(state, row), isFunctionMasked, vectors }];
}

/** The queues of a virtio device that raise a vector. */
function usesOf({ state }: FunctionSeen, vector: number): string[] {
  if (!('queues' in state) || !('configVector' in state)) return [];
  const queues = state.queues as readonly { readonly vector: number }[];
  return [
    ...(state.configVector === vector ? ['configuration'] : []),
    ...queues.flatMap((queue, at) => (queue.vector === vector ? [`queue ${at}`] : [])),
  ];
}

function msixText({ device, isOn, isFunctionMasked, vectors }: MsixSeen): string[] {
  const how = isOn ? (isFunctionMasked ? 'on, all masked' : 'on') : 'off';
  return [`${device}: MSI-X ${how}, ${vectors.length} vectors`, ...vectors.map(vectorText)];
}

function vectorText(seen: VectorSeen): string {
  const { vector, address, data, route, use, cause } = seen;
  // SDM Vol. 3, 11.11: bits 19:12 of the address are the destination.
  const to = `APIC ${Number((address >> 12n) & 0xffn)} vector ${data & 0xff} ${deliveryMode(data)}`;
  const words = [
    `  ${vector}: address 0x${address.toString(16).padStart(8, '0')} data 0x${hex(data, 8)}`,
    address === 0n ? 'not set' : to,
    ...(seen.isMasked ? ['masked'] : []),
    ...(seen.isPending ? [`pending since #${cause}`] : []),
    ...(route === undefined ? [] : [`${route.isIrqfd ? 'irqfd' : 'eventfd'} ${route.fd} GSI ${route.gsi ?? 'none'}`]),
    ...(use.length === 0 ? [] : [`for ${use.join(', ')}`]),
  ];
  return words.join('; ');
}

export const MSIX = viewOf({
  usage: 'msix [DEV]',
  help: 'vectors of a function with MSI-X: message, masks, what is pending, routes',
  look({ view }, words): readonly MsixSeen[] {
    const all = functionsOf(view).filter(({ pci }) => capabilityOf(pci.capabilities ?? [], 'msix') !== undefined);
    const asked = words === '' ? all : [named(all, words, 'function with MSI-X')];
    return asked.flatMap((each) => msixSeen(view, each));
  },
  print: (seen) => (seen.length === 0 ? 'No function has MSI-X.' : seen.flatMap(msixText).join('\n')),
});
