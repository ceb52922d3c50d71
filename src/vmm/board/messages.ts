/** Message-signalled interrupts on their way from a PCI function to the local APICs. QEMU 7.2: hw/pci/msi.c, msix.c. */
import { invariant } from '../../base/invariant.ts';
import type { Effects } from '../../devices/device.ts';
import {
  causeOf,
  isBusMaster,
  isMasked,
  isPending,
  type Message,
  messageOf,
  messagesOf,
} from '../../devices/pci/index.ts';
import { KVM_SIGNAL_MSI } from '../../kvm/ioctl/ioctls.ts';
import { bindVectors, routeOf } from '../accel/msix-routes.ts';
import { vectorsMoved } from '../vhost/control.ts';
import type { Machine, Part } from './machine.ts';
import { pciPart } from './pci-parts.ts';
import type { CallOf } from './pins.ts';

/** A function raises a vector: the message goes out, or waits while it is masked. False: messages are off. */
export function raiseVector(machine: Machine, part: Part, vector: number, callOf: CallOf): boolean {
  if (part.pci === undefined) return false;
  const { function: pci, state } = pciPart(machine, part);
  const row = messagesOf(pci, state);
  if (row === undefined) return false;
  invariant(vector >= 0 && vector < row.vectors, 'a function raises vectors it has', { part: part.name, vector });
  if (isMasked(state, row, vector)) {
    machine.raise({ kind: 'sim:msi_pending', dev: part.name, vector, pending: true });
    return true;
  }
  const route = routeOf(machine, part, vector);
  if (route?.bound === true) machine.kvm.signal(route.fd);
  else if (isBusMaster(state)) send(machine, messageOf(state, row, vector), callOf(machine, part));
  return true;
}

/**
 * A guest may have written to a function's table or capability: routes follow, and what waits unmasked now goes out.
 * What follows does so because of what raised it, however long ago that was.
 */
export function vectorsChanged(machine: Machine, part: Part, callOf: CallOf): void {
  const { function: pci, state } = pciPart(machine, part);
  bindVectors(machine, part, pci, state);
  vectorsMoved(machine, part);
  const row = messagesOf(pci, state);
  if (row === undefined) return;
  for (let vector = 0; vector < row.vectors; vector++) {
    if (!isPending(state, row, vector) || isMasked(state, row, vector)) continue;
    const raised = machine.from(machine.origin.after(causeOf(state, row, vector)));
    raised.raise({ kind: 'sim:msi_pending', dev: part.name, vector, pending: false });
    if (isBusMaster(state)) send(raised, messageOf(state, row, vector), callOf(raised, part));
  }
}

/** What the local APICs' messages are written to. SDM Vol. 3, 11.11.1. */
const APIC_WINDOW = { first: 0xfee0_0000n, last: 0xfeef_ffffn } as const;

/** A message is a write of a doubleword like any other; KVM is told of those into the window, by their offset there. */
function send({ kvm, fds }: Machine, { address, data }: Message, effects: Effects): void {
  if (address >= APIC_WINDOW.first && address <= APIC_WINDOW.last) {
    const addressLow = Number(address - APIC_WINDOW.first);
    kvm.ioctl(fds.vm, KVM_SIGNAL_MSI, { addressLow, addressHigh: 0, data });
  } else effects.dmaWrite(Number(address), new Uint8Array(Uint32Array.of(data).buffer));
}
