import { bindEventfds, releaseEventfds } from '../accel/eventfds.ts';
import type { Board, Machine } from '../board/machine.ts';
import { flatten } from '../memory/flat-view.ts';
import { commitSlots } from '../memory/slots.ts';
import { tellMemory } from '../vhost/memory-table.ts';
import { type Assembly, systemIo, systemMemory } from './memory-map.ts';

/** Redraw the address spaces after regions moved, and give KVM the difference. */
export function remap(machine: Machine, assembly: Assembly = 'complete'): void {
  const { board } = machine;
  const before = board.memoryView;
  redraw(board, assembly);
  commitSlots(machine, before, board.memoryView);
  tellMemory(machine);
  // Where one device moves away from another may come.
  for (const part of board.parts) releaseEventfds(machine, part);
  for (const part of board.parts) bindEventfds(machine, part);
}

/** Rebuild the derived views from the state alone; KVM already knows them. */
export function redraw(board: Board, assembly: Assembly = 'complete'): void {
  board.memoryView = flatten(systemMemory(board, assembly));
  board.ioView = flatten(systemIo(board));
}
