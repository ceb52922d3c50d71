import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Problem } from '../../../src/base/problem.ts';
import { exportCapture } from '../../../src/cli/export-command.ts';
import { printPackets } from '../../../src/cli/packets-command.ts';
import { printStatistics } from '../../../src/cli/stat-command.ts';
import { whyPacket } from '../../../src/cli/why-packet.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { printed, scratchFolder } from '../../guests/command-line.ts';
import { casesOf } from '../../how-long.ts';
import { OTHERS } from '../../packets/dissect/others.ts';
import { captured } from '../../packets/pcap.ts';
import { traceOf } from '../crafted.ts';
import { drawing, mutatedEvents } from '../mutated-events.ts';
import { chance } from '../trace/mutated.ts';
import { runOver } from './captured-run.ts';

const folder = scratchFolder();
const COUNT = casesOf('RETROVISOR_PACKET_TRACES', { whole: 200, quick: 5 });
const SEED = 12;

/** Somebody who looks says what they see, or in a sentence why they see nothing. */
async function looks(look: () => Promise<unknown>): Promise<string> {
  try {
    await look();
    return 'seen';
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return 'refused';
  }
}

const count = (came: Map<string, number>, what: string): void => void came.set(what, (came.get(what) ?? 0) + 1);

test(`no trace of packets does harm, whoever wrote it: ${COUNT} from ${SEED}`, {
  timeout: 60_000 + COUNT * 500,
}, async () => {
  const path = runOver(folder, 'untrusted', [...captured('virtio-net').slice(0, 40), ...Object.values(OTHERS)], [7, 9]);
  const trace = openTraceFile(path);
  const { events } = readAll(trace);
  trace.close();
  const first = events.findIndex(({ event }) => event.kind === 'sim:packet_sent');
  const random = chance(SEED);
  const draw = drawing(() => random(2 ** 31) / 2 ** 31);
  const came = new Map<string, number>();
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  for (let each = 0; each < COUNT; each += 1) {
    // What comes before the packets is spoilt by others.
    const spoilt = mutatedEvents(events.slice(first - 1), draw).events;
    const all = [...events.slice(0, first - 1), ...spoilt].map((stamped, seq) => ({ ...stamped, seq }));
    const file = join(folder, 'spoilt.trace');
    writeFileSync(file, traceOf(path, all));
    const options = { limit: 1e6, hex: true, condition: 'frame.len >= 0 || tcp.seq > 0 || ip.addr == 10.0.2.15' };
    const printing = { print: () => undefined, flush: () => undefined };
    count(came, await looks(() => printPackets(file, options, printing)));
    count(came, await looks(() => printPackets(file, { limit: 1e6, json: true }, printing)));
    count(came, await looks(async () => printStatistics(file, { event: 'net' }, () => undefined)));
    count(
      came,
      await looks(() => printed((print) => exportCapture(file, { output: join(folder, 'x.pcapng') }, print))),
    );
    count(came, await looks(() => whyPacket(file, { number: draw.below(80) }, () => undefined)));
  }
  said.mockRestore();
  expect([...came.keys()].sort()).toEqual(['refused', 'seen']);
  expect(came.get('seen')).toBeGreaterThan(2 * COUNT);
});
