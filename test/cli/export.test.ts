import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportCapture } from '../../src/cli/export-command.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { printed, scratchFolder } from '../guests/command-line.ts';
import { captured } from '../packets/pcap.ts';
import { runOver } from '../replay/packets/captured-run.ts';
import { recordedPair } from '../runs/fabric/recorded-pair.ts';
import { PLAIN_LANGUAGE, tool, without } from '../stepping-aside.ts';

const folder = scratchFolder();
const FRAMES = captured('virtio-net');
const LOST = 30;
const RUN = runOver(folder, 'exported', FRAMES, [LOST]);
const CAPTURE = join(folder, 'exported.pcapng');

/** What a program says, also on standard error. */
const told = (command: string, ...args: string[]): string =>
  execFileSync('sh', ['-c', `"$0" "$@" 2>&1`, command, ...args], { encoding: 'utf8', env: PLAIN_LANGUAGE });

/** Fields of the capture, by packet. */
const fields = (...names: string[]): string[][] => fieldsOf(CAPTURE, ...names);

const fieldsOf = (capture: string, ...names: string[]): string[][] =>
  execFileSync('tshark', ['-r', capture, '-T', 'fields', ...names.flatMap((name) => ['-e', name])], {
    ...{ encoding: 'utf8' as const, env: PLAIN_LANGUAGE, stdio: ['ignore', 'pipe', 'ignore'] as const },
  })
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));

describe('export --pcapng', () => {
  test('has every packet once, whole, at its time, where it was sent', without(tool('tshark')), async () => {
    const text = await printed((print) => exportCapture(RUN, { output: CAPTURE }, print));
    expect(text).toBe(`${CAPTURE}: ${FRAMES.length} packets\n`);
    const trace = openTraceFile(RUN);
    const { events } = readAll(trace);
    trace.close();
    const [first] = events;
    const wallClock = first?.event.kind === 'sim:powered_on' ? first.event.wall_clock : 0n;
    const names = [
      'frame.interface_name',
      'frame.packet_flags_direction',
      'frame.packet_id',
      'frame.len',
      'frame.time_epoch',
    ];
    const rows = fields(...names);
    const sent = events.flatMap(({ event }) => (event.kind === 'sim:packet_sent' ? [event] : []));
    expect(rows.map(([name]) => name)).toEqual(sent.map(({ client }) => client));
    // As the guest sees it: 1 comes in, 2 goes out.
    expect(rows.map(([, way]) => Number(way))).toEqual(sent.map(({ client }) => (client === 'guest' ? 2 : 1)));
    expect(rows.map(([, , number]) => Number(number))).toEqual(sent.map(({ packet }) => packet));
    expect(rows.map(([, , , length]) => Number(length))).toEqual(sent.map(({ bytes }) => bytes.length));
    const times = rows.map(([, , , , time]) => BigInt(time!.replace('.', '')));
    expect(times[0]! - wallClock).toBeGreaterThan(0n);
    expect(times.at(-1)! - times[0]!).toBe(BigInt(2 * (FRAMES.length - 1)) * 1_000_000n + spent(events));
  });

  /** What exits take, between the first packet and the last. */
  const spent = (events: ReturnType<typeof readAll>['events']): bigint => {
    const places = events.flatMap(({ event }, at) => (event.kind === 'sim:packet_sent' ? [at] : []));
    const between = events.slice(places[0]! + 1, places.at(-1)! + 1);
    return BigInt(600 * between.filter(({ event }) => event.kind === 'kvm_exit').length);
  };

  test('says of each what led to it, and what became of it', without(tool('tshark')), () => {
    const comments = fields('frame.comment').map(([comment]) => comment!);
    expect(comments[12]!.split('; ')).toEqual([
      expect.stringMatching(/^packet 12 #\d+ tick \d+$/),
      expect.stringMatching(/^guest 0x[\da-f]+ of vcpu0 #\d+$/),
      expect.stringMatching(/^kvm_exit #\d+ > sim:packet_sent #\d+$/),
      expect.stringMatching(/^taken by n0 #\d+, 1000.000 us later$/),
    ]);
    expect(comments[13]).toMatch(/kvm_exit #\d+ > sim:packet_sent #\d+ > sim:packet_delivered #\d+ > sim:packet_sent/);
    expect(comments[LOST]).toMatch(/; lost at n0 #\d+, 1000.000 us later: queue full$/);
  });

  test('is read by tshark and capinfos without a word', without(tool('tshark'), tool('capinfos')), () => {
    expect(told('tshark', '-r', CAPTURE, '-q', '-z', 'expert,warn')).not.toMatch(/[Mm]alformed|cut short|isn't/);
    const about = told('capinfos', CAPTURE);
    expect(about).toMatch(/Number of interfaces in file: 2/);
    expect(about).toMatch(/Name = guest\s+Description = nic, sends to n0\s/);
    expect(about).toMatch(/Name = n0\s+Description = user, sends to guest\s/);
    expect(about).toMatch(/Capture application: +Retrovisor/);
    expect(about).toMatch(/Strict time order: +True/);
    expect(about).toMatch(/Time precision = nanoseconds \(9\)/);
  });

  test('leaves what is no file, and the trace itself, as it is', async () => {
    const trace = readFileSync(RUN);
    const write = (output: string) => printed((print) => exportCapture(RUN, { output }, print));
    await expect(write(RUN)).rejects.toThrow('the recorded run needs it as it is');
    expect(readFileSync(RUN).equals(trace)).toBe(true);
    mkdirSync(join(folder, 'a folder'), { recursive: true });
    await expect(write(join(folder, 'a folder'))).rejects.toThrow('it is a folder');
    await expect(write(join(folder, 'nowhere', 'x'))).rejects.toThrow('there is no folder');
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });

  test('of a trace that is cut has what there is', without(tool('tshark')), async () => {
    const path = join(folder, 'cut.trace');
    const whole = readFileSync(RUN);
    writeFileSync(path, whole.subarray(0, whole.length - 40));
    const output = join(folder, 'cut.pcapng');
    await printed((print) => exportCapture(path, { output }, print));
    expect(told('capinfos', '-c', output)).toMatch(/Number of packets/);
  });

  test(
    'of several machines has those of each, by their one clock',
    without(tool('tshark'), tool('capinfos')),
    async () => {
      const { path } = recordedPair(folder);
      const output = join(folder, 'pair.pcapng');
      const written = () => printed((print) => exportCapture(path, { output }, print));
      expect(await written()).toBe(`${output}: 4 packets\n`);
      const about = told('capinfos', output);
      expect(about).toMatch(/Number of interfaces in file: 4/);
      expect(about).toMatch(/Name = alice:n0\s+Description = frames, sends to guest\s/);
      expect(about).toMatch(/Strict time order: +True/);
      const names = ['interface_name', 'packet_flags_direction', 'packet_id', 'time_epoch', 'comment'];
      const rows = fieldsOf(output, ...names.map((name) => `frame.${name}`));
      // As the guest sees it: 1 comes in, 2 goes out.
      expect(rows.map(([name, way]) => `${name} ${Number(way)}`)).toEqual([
        'alice:guest 2',
        'bob:n0 1',
        'bob:guest 2',
        'alice:n0 1',
      ]);
      expect(new Set(rows.map(([, , number]) => number)).size).toBe(4);
      const times = rows.map(([, , , time]) => Number(BigInt(time!.replace('.', '')) % 10n ** 15n));
      // A cable takes 50 us, and what is not a whole instruction.
      for (const at of [0, 2]) expect(times[at + 1]! - times[at]!).toBeOneOf([50_000, 50_008]);
      expect(rows[1]![4]).toMatch(
        /^bob packet 0 #\d+ tick \d+; sim:frame_received #\d+ > sim:packet_sent #\d+; taken by guest/,
      );
      const recording = readFileSync(path);
      for (const own of [path, `${path}:alice`])
        await expect(printed((print) => exportCapture(own, { output: path }, print))).rejects.toThrow(
          'needs it as it is',
        );
      expect(readFileSync(path).equals(recording)).toBe(true);
    },
  );
});
