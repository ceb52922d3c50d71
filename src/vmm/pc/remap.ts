import { bindEventfds } from '../eventfds.ts';
import type { Machine } from '../machine.ts';
import { flatten } from '../memory/flat-view.ts';
import { commitSlots } from '../memory/slots.ts';
import { type Assembly, systemIo, systemMemory } from './memory-map.ts';

/** Redraw the address spaces after regions moved, and give KVM the difference. */
export function remap(machine: Machine, assembly: Assembly = 'complete'): void {
  const before = machine.memory.view;
  redraw(machine, assembly);
  const owner = { kvm: machine.kvm, host: machine.host, vmFd: machine.fds.vm, slots: machine.state.slots };
  commitSlots(owner, before, machine.memory.view);
  bindEventfds(machine);
}

/** Rebuild the derived views from the state alone; KVM already knows them. */
export function redraw(machine: Machine, assembly: Assembly = 'complete'): void {
  machine.memory = { ...machine.memory, view: flatten(systemMemory(machine, assembly)) };
  machine.io = { ...machine.io, view: flatten(systemIo(machine)) };
}
