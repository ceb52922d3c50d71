import { describe, expect, test } from 'vitest';
import { commandTable } from '../../src/cli/commands.ts';
import { printConsole } from '../../src/cli/console-command.ts';
import { printEvents } from '../../src/cli/events-command.ts';
import { printPackets } from '../../src/cli/packets-command.ts';
import { printStatistics, type StatOptions } from '../../src/cli/stat-command.ts';
import { whyPacket } from '../../src/cli/why-packet.ts';
import { printed, scratchFolder } from '../guests/command-line.ts';
import { recordedPair } from '../runs/fabric/recorded-pair.ts';

const folder = scratchFolder();
const PAIR = recordedPair(folder);
const FORM = { limit: Number.POSITIVE_INFINITY };

const eventsOf = (path: string, form: object = {}, filter: object = {}): Promise<string> =>
  printed((print) => printEvents(path, filter, { ...FORM, ...form }, print));

const numbers = (text: string, name: string): number[] =>
  [...text.matchAll(new RegExp(`^${name} *\\| .*?#(\\d+)`, 'gm'))].map((match) => Number(match[1]));

describe('a recording of several machines', () => {
  test('is told of as one, by the clock of all, each line with its machine', async () => {
    const lines = (await eventsOf(PAIR.path)).trimEnd().split('\n');
    const times = lines.map((line) => Number(/ \| +([\d.]+) /.exec(line)![1]));
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    for (const name of ['alice', 'bob']) {
      const own = numbers(lines.join('\n'), name);
      expect(own).toEqual(own.map((_seq, at) => at));
      expect(own).toHaveLength((await eventsOf(`${PAIR.path}:${name}`)).trimEnd().split('\n').length);
    }
    const at = (name: string, seq: number): number =>
      lines.findIndex((line) => line.startsWith(name) && line.includes(` #${seq} `));
    expect(at('alice', PAIR.alice.left)).toBeLessThan(at('bob', PAIR.bob.came));
    expect(at('bob', PAIR.bob.left)).toBeLessThan(at('alice', PAIR.alice.came));
  });

  test('says which machine to programs, too', async () => {
    const filter = { kinds: ['sim:frame_*'] };
    const json = (await eventsOf(PAIR.path, { as: 'json' }, filter)).trimEnd().split('\n');
    expect(json.map((line) => (JSON.parse(line) as { machine: string }).machine)).toEqual([
      'alice',
      'bob',
      'bob',
      'alice',
    ]);
    const csv = await eventsOf(PAIR.path, { as: 'csv', columns: ['seq', 'name'] }, filter);
    expect(csv.split('\n').slice(0, 2)).toEqual(['machine,seq,name', `alice,${PAIR.alice.left},sim:frame_left`]);
    const columns = await eventsOf(PAIR.path, { columns: ['seq', 'name'] }, filter);
    expect(columns.split('\n')[2]).toMatch(new RegExp(`^bob   \\| ${PAIR.bob.came} +sim:frame_received$`));
  });

  test('is counted machine by machine, and each as alone', async () => {
    const statistics = (path: string, options: StatOptions = {}): Promise<string> =>
      printed((print) => printStatistics(path, options, print));
    const both = (await statistics(PAIR.path)).split('\n');
    for (const [name, prefix] of [
      ['alice', 'alice | '],
      ['bob', 'bob   | '],
    ] as const) {
      const own = both.filter((line) => line.startsWith(prefix.trimEnd())).map((line) => line.slice(prefix.length));
      expect(own).toEqual((await statistics(`${PAIR.path}:${name}`)).trimEnd().split('\n'));
    }
    expect(await statistics(PAIR.path, { as: 'json' })).toMatch(/^\{"machine":"alice","key":.*\n\{"machine":"bob"/);
    const rows = (await statistics(PAIR.path, { as: 'csv' })).trimEnd().split('\n');
    expect(rows.map((row) => row.split(',')[0])).toEqual(['machine', 'alice', 'bob']);
  });

  test('has what each packet cost counted by card and way', async () => {
    const costs = (as?: 'json') =>
      printed((print) => printStatistics(PAIR.path, { table: 'packets', ...(as === undefined ? {} : { as }) }, print));
    const rows = (await costs('json'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const each = { card: 'guest', packets: 1, user_exits: 0, copies: 2, events: 4 };
    const [sent, came] = [
      { ...each, way: 'TX', exits: 1, interrupts: 0 },
      { ...each, way: 'RX', exits: 0, interrupts: 1 },
    ];
    expect(rows).toMatchObject(
      ['alice', 'alice', 'bob', 'bob'].map((machine, at) => ({ machine, ...(at % 2 === 0 ? sent : came) })),
    );
    expect(await costs()).toMatch(/^alice \| guest +TX +1 +1\.00 +0\.00 +0\.00 +2\.00 +4\.00/m);
    expect(() => printStatistics(PAIR.path, { table: 'frames' }, () => undefined)).toThrow('--table is of packets');
    expect(() => printStatistics(PAIR.path, { table: 'packets', vcpu: 0 }, () => undefined)).toThrow(
      'takes no --event',
    );
  });

  test('has its packets and consoles told together', async () => {
    const packets = await printed((print) => printPackets(PAIR.path, FORM, { print, flush: () => undefined }));
    expect(
      packets
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(0, 5).trim()),
    ).toEqual(['alice', 'bob', 'bob', 'alice']);
    const console = await printed((print) => printConsole(PAIR.path, { raw: false }, print));
    expect(console).toBe('alice | asks\nbob   | answers\nalice | heard\n');
    expect(() => printConsole(PAIR.path, { raw: true }, () => undefined)).toThrow("--raw shows one machine's");
  });
});

describe('what crosses from machine to machine', () => {
  const kindsOf = (text: string): string[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => `${line.split(' ')[0]} ${/([\w:]+): /.exec(line)?.[1]}`);

  test('is one chain of causes, from either end', async () => {
    const form = { chain: PAIR.bob.interrupt, limit: 200 };
    const path = [
      ...['alice kvm_exit', 'alice sim:packet_sent', 'alice sim:packet_delivered', 'alice sim:frame_left'],
      ...['bob sim:frame_received', 'bob sim:packet_sent', 'bob sim:packet_delivered', 'bob kvm_inj_virq'],
    ];
    expect(kindsOf(await eventsOf(`${PAIR.path}:bob`, form))).toEqual(path);
    expect(kindsOf(await eventsOf(`${PAIR.path}:alice`, { ...form, chain: PAIR.alice.kick }))).toEqual(path);
    await expect(eventsOf(PAIR.path, form)).rejects.toThrow('--chain is asked of one machine');
    await expect(eventsOf(`${PAIR.path}:bob`, { chain: 1e6 })).rejects.toThrow('The run has no event #1000000');
  });

  test("is one packet's way, with what the cable took", async () => {
    for (const name of ['alice', 'bob']) {
      const way = await printed((print) => whyPacket(`${PAIR.path}:${name}`, { number: 0 }, print));
      expect(way).toMatch(/^alice \| packet 0, 42 bytes, guest > n0/);
      expect(way).toMatch(
        /^alice \| .*sim:frame_left: dev frames#0 packet 0\nbob {3}\| packet 0, 42 bytes, n0 > guest/m,
      );
      expect(way).toMatch(/^bob {3}\| +\+50.\d\d\d us .*sim:frame_received/m);
      expect(way).toMatch(/^bob {3}\| To a processor:$/m);
    }
    await expect(whyPacket(PAIR.path, { number: 0 }, () => undefined)).rejects.toThrow('--why is asked of one machine');
  });
});

test('events are chosen by the clock of all', async () => {
  const listed = async (...more: string[]): Promise<string[]> => {
    const lines: string[] = [];
    const outcome = { print: (line: string) => void lines.push(line), flush: () => undefined, done: () => undefined };
    await commandTable(outcome).parseAsync(['events', PAIR.path, '-e', 'sim:frame_*', ...more], { from: 'user' });
    return lines;
  };
  const all = await listed();
  expect(all).toHaveLength(4);
  const at = (line: string): string => `@${/ \| +([\d.]+) /.exec(line)![1]}s`;
  expect(await listed('--from', at(all[1]!), '--to', at(all[2]!))).toEqual(all.slice(1, 3));
  await expect(listed('--from', '@soon')).rejects.toThrow('no virtual time');
});
