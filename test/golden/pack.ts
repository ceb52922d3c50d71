import { writeFileSync } from 'node:fs';
import { withoutRepeats } from '../oracle/insn-stream.ts';
import { Interned } from '../oracle/streams/align.ts';
import { readInstructions } from '../oracle/streams/insn-reference.ts';
import { pack } from '../oracle/streams/packed.ts';

/** Makes recorded/*.stream.br: `npx tsx test/golden/pack.ts RECORDING.insn.txt.xz OUT.stream.br`. */
const [recording, out] = process.argv.slice(2);
if (recording === undefined || out === undefined) {
  console.error('usage: tsx test/golden/pack.ts RECORDING.insn.txt.xz OUT.stream.br');
  process.exit(2);
}
const table = new Interned();
writeFileSync(out, pack(withoutRepeats(readInstructions(recording, table), table), table));
