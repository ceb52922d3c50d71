import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { printEvents } from '../../../src/cli/events-command.ts';
import { diskInterrupt } from '../../../src/debugger/history/chain.ts';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { MOST_CAUSES } from '../../../src/replay/export/chain.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { debugTour } from '../../debugger/recorded-tour.ts';

const TRACE = join(import.meta.dirname, '../../../traces/tour.trace');
const { events } = readAll(openTraceFile(TRACE));
const path = diskInterrupt(events) as Stamped[];

async function printed(seq: number, form: object = {}): Promise<string[]> {
  const lines: string[] = [];
  await printEvents(TRACE, {}, { limit: 200, chain: seq, ...form }, (line) => lines.push(line));
  return lines;
}

/** By looking from each event back, and not on from the one asked about. */
function related(seq: number): number[] {
  const causesOf = (from: Stamped): number[] => {
    const found = [from.seq];
    for (let at = from.cause; at !== undefined; at = events[at]!.cause) found.push(at);
    return found;
  };
  const before = causesOf(events[seq]!).reverse();
  const after = events.slice(seq + 1).filter((each) => causesOf(each).includes(seq));
  return [...before, ...after.map((each) => each.seq)];
}

const numberOf = (line: string): number => Number(/^#(\d+)/.exec(line)?.[1]);
const depthOf = (line: string): number =>
  (/^#\d+ +\d+ \S+ +?( *)\w/.exec(line.replace(/(vcpu\d) {4}/, '$1'))?.[1] ?? '').length / 2;

describe('a disk is told of a request, and its interrupt comes', () => {
  const exit = path.find(({ event }) => event.kind === 'kvm_exit') as Stamped;

  test('along causes an exit, the eventfd, the main loop, the drive and the MSI', () => {
    expect(path.map(({ event }) => event.kind)).toEqual([
      ...['kvm_exit', 'sim:eventfd_signal', 'sim:device_notified', 'sim:disk_submitted', 'sim:disk_completed'],
      ...['sim:eventfd_signal', 'kvm_msi_set_irq', 'kvm_apic_accept_irq', 'kvm_inj_virq'],
    ]);
  });

  test('as a tree of whatever the exit led to, each below its cause', async () => {
    const lines = await printed(exit.seq);
    expect(lines.map(numberOf)).toEqual(related(exit.seq));
    const kinds = ['virtqueue_pop', 'virtio_blk_handle_read', 'sim:dma', 'virtqueue_fill', 'kvm_inj_virq'];
    for (const kind of kinds) expect(lines.filter((line) => line.includes(` ${kind}: `))).toHaveLength(1);
    for (const line of lines.slice(1)) {
      const above = lines.find((each) => numberOf(each) === events[numberOf(line)]!.cause) as string;
      expect(depthOf(line)).toBe(depthOf(above) + 1);
    }
  });

  test.each([2, 4, 8])('as what led to link %d, and what it led to', async (at) => {
    const { seq } = path[at] as Stamped;
    expect((await printed(seq)).map(numberOf)).toEqual(related(seq));
  });

  test('and the prompt answers the same', async () => {
    const session = debugTour(TRACE);
    expect(answerPrompt(session, `chain #${exit.seq}`).split('\n')).toEqual(await printed(exit.seq));
    answerPrompt(session, `at #${exit.seq}`);
    expect(answerPrompt(session, 'chain')).toBe(answerPrompt(session, `chain #${session.seq - 1}`));
    expect(answerPrompt(session, 'chain #99999999')).toContain(`to #${events.length - 1}`);
  });
});

test('of a timer that sets itself again the nearest causes are told', async () => {
  const longest = events.reduce(
    ({ depths, deepest }, { seq, cause }) => {
      depths[seq] = cause === undefined ? 0 : depths[cause]! + 1;
      return { depths, deepest: depths[seq]! > depths[deepest]! ? seq : deepest };
    },
    { depths: [0] as number[], deepest: 0 },
  );
  expect(longest.depths[longest.deepest]).toBeGreaterThan(MOST_CAUSES);
  const lines = await printed(longest.deepest);
  expect(lines).toHaveLength(MOST_CAUSES + 1);
  expect(numberOf(lines.at(-1)!)).toBe(longest.deepest);
});

test('an event the run does not have is refused with its last', async () => {
  await expect(printed(events.length)).rejects.toThrow(`no event #${events.length}: its last is #${events.length - 1}`);
});
