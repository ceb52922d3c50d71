/** MSI-X vectors as MSI routes of KVM with an eventfd each: QEMU's kvm_irqchip_add_msi_route and its neighbours. */
import {
  capabilityOf,
  type ConfigLayout,
  isMasked,
  type Message,
  messageOf,
  messagesOf,
  type PciFunctionState,
} from '../../devices/pci/index.ts';
import { KVM_IRQFD, KVM_SET_GSI_ROUTING } from '../../kvm/ioctl/ioctls.ts';
import type { Machine, Part } from '../board/machine.ts';
import type { MsiRoute } from '../state.ts';
import { type GsiRoute, pcRoutes } from './gsi-routes.ts';
import { vmIoctl } from './traced-kvm.ts';

const nameOf = (part: Part, vector: number): string => `${part.name}.${vector}`;

/** The route of a vector; undefined: it has none. */
export const routeOf = ({ state }: Machine, part: Part, vector: number): MsiRoute | undefined =>
  state.msiRoutes[nameOf(part, vector)];

/** What a guest uses has a route and an irqfd; what it masks keeps its route; what it turns off has neither. */
export function bindVectors(machine: Machine, part: Part, pci: ConfigLayout, state: PciFunctionState): void {
  const msix = capabilityOf(pci.capabilities, 'msix');
  if (msix?.irqfd !== true) return;
  const row = messagesOf(pci, state);
  for (let vector = 0; vector < msix.vectors; vector++) {
    const route = routeOf(machine, part, vector);
    if (row?.kind !== 'msix') release(machine, part, vector, route);
    else if (isMasked(state, row, vector)) unbind(machine, part, vector, route);
    else bind(machine, part, vector, messageOf(state, row, vector));
  }
}

/** What the kernel signals is a message, masked or not. kvm_virtio_pci_vector_use. */
export const useVector = (machine: Machine, part: Part, vector: number, message: Message): void =>
  bind(machine, part, vector, message);

/** None of its vectors is an eventfd's any more. kvm_virtio_pci_vector_release. */
export function releaseVectors(machine: Machine, part: Part): void {
  const prefix = `${part.name}.`;
  for (const [name, route] of Object.entries(machine.state.msiRoutes)) {
    if (name.startsWith(prefix)) release(machine, part, Number(name.slice(prefix.length)), route);
  }
}

function bind(machine: Machine, part: Part, vector: number, message: Message): void {
  const before = routeOf(machine, part, vector);
  if (before?.bound === true && isSame(before, message)) return;
  const gsi = before?.gsi ?? freeGsi(machine);
  const fd = before?.fd ?? machine.kvm.eventfd();
  const words = { address: message.address, data: message.data };
  const told = machine.after(
    machine.raise({ kind: 'sim:msi_route', dev: part.name, vector, gsi, fd, ...words, bound: true, used: true }),
  );
  if (before?.gsi === undefined) {
    told.raise({ kind: 'kvm_irqchip_add_msi_route', name: part.device.model, vector, virq: gsi });
    commit(told);
  } else if (!isSame(before, message)) {
    told.raise({ kind: 'kvm_irqchip_update_msi_route', virq: gsi });
    commit(told);
  }
  if (before?.bound !== true) vmIoctl(told, told.fds.vm, KVM_IRQFD, { fd, gsi, flags: 0 });
}

const isSame = (route: MsiRoute, { address, data }: Message): boolean =>
  route.address === address && route.data === data;

function unbind(machine: Machine, part: Part, vector: number, route: MsiRoute | undefined): void {
  if (route?.bound !== true || route.gsi === undefined) return;
  const { gsi, fd } = route;
  const told = machine.after(
    machine.raise({ kind: 'sim:msi_route', dev: part.name, vector, ...route, gsi, bound: false, used: true }),
  );
  vmIoctl(told, told.fds.vm, KVM_IRQFD, { fd, gsi, flags: DEASSIGN });
}

/** The entry goes with the next table KVM is given, as QEMU leaves it. The eventfd is kept for who comes next. */
function release(machine: Machine, part: Part, vector: number, route: MsiRoute | undefined): void {
  const gsi = route?.gsi;
  if (route === undefined || gsi === undefined) return;
  unbind(machine, part, vector, route);
  const told = machine.after(
    machine.raise({ kind: 'sim:msi_route', dev: part.name, vector, ...route, gsi, bound: false, used: false }),
  );
  told.raise({ kind: 'kvm_irqchip_release_virq', virq: gsi });
}

const DEASSIGN = 1;

/** The lowest number no route has. */
function freeGsi({ state }: Machine): number {
  const used = [...pcRoutes(), ...Object.values(state.msiRoutes)].map(({ gsi }) => gsi);
  let gsi = 0;
  while (used.includes(gsi)) gsi++;
  return gsi;
}

function commit(machine: Machine): void {
  const entries = Object.values(machine.state.msiRoutes).flatMap(({ gsi, address, data }): GsiRoute[] => {
    const [addressLow, addressHigh] = [Number(address & 0xffff_ffffn), Number(address >> 32n)];
    return gsi === undefined ? [] : [{ gsi, type: 'msi', addressLow, addressHigh, data }];
  });
  machine.raise({ kind: 'kvm_irqchip_commit_routes' });
  vmIoctl(machine, machine.fds.vm, KVM_SET_GSI_ROUTING, { entries: [...pcRoutes(), ...entries] });
}
