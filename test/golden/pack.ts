import { writeFileSync } from 'node:fs';
import { since, withoutRepeats } from '../oracle/insn-stream.ts';
import { Interned } from '../oracle/streams/align.ts';
import { readInstructions } from '../oracle/streams/insn-reference.ts';
import { pack } from '../oracle/streams/packed.ts';

/** Makes recorded/*.stream.br: `npx tsx test/golden/pack.ts RECORDING.insn.txt.xz OUT.stream.br [CSBASE:RIP]`. */
const [recording, out, from] = process.argv.slice(2);
if (recording === undefined || out === undefined) {
  console.error('usage: tsx test/golden/pack.ts RECORDING.insn.txt.xz OUT.stream.br [CSBASE:RIP]');
  process.exit(2);
}
const table = new Interned();
const stream = withoutRepeats(readInstructions(recording, table), table);
writeFileSync(out, pack(since(stream, from, table), table));
