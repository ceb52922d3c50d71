import { instructionsAt, instructionText } from '../look/instructions.ts';
import { evaluate } from '../look/vantage.ts';
import { countOf, viewOf } from './view.ts';

const DISASSEMBLED = 8;

export const DISASSEMBLY = viewOf({
  usage: 'disas [ADDR] [N]',
  help: 'instructions, from the next one on',
  look(from, words) {
    const [address = '$pc', count = ''] = words.split(/\s+/).filter((word) => word !== '');
    return instructionsAt(from, evaluate(from, address), countOf(count, DISASSEMBLED));
  },
  print: (instructions) => instructions.map(instructionText).join('\n'),
});
