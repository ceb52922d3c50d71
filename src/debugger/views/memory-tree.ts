import { type MemoryTree, treeText } from '../../vmm/memory/mtree.ts';
import { viewOf } from './view.ts';

export const MEMORY_TREE = viewOf({
  usage: 'mtree',
  help: 'memory regions, as the machine is laid out',
  also: ['info mtree'],
  look: ({ view }): readonly MemoryTree[] => view.machine.vmm.memoryTrees(),
  print: (trees) => trees.map(treeText).join('\n\n'),
});
