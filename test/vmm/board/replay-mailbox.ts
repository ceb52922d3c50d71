/** Replays a trace of a machine with a mailbox: `tsx test/vmm/board/replay-mailbox.ts TRACE`. */
import { Problem, replay } from '../../../src/api/index.ts';
import { installMailbox } from './mailbox.ts';

installMailbox();
const [, , path = ''] = process.argv;
try {
  const { agreed, events, digest, divergence } = await replay(path);
  console.log(JSON.stringify({ agreed, events, digest, divergence }));
} catch (problem) {
  if (!(problem instanceof Problem)) throw problem;
  console.error(problem.message);
  process.exitCode = 1;
}
