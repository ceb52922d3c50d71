import { describe, expect, test } from 'vitest';
import { USUAL_PACE } from '../../../src/events/costs.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { crossings, type Traffic, trafficOf } from '../../../src/runs/fabric/crossings.ts';

const LATENCY = 1000;
const LINK = {
  ends: [
    { machine: 0, dev: 'frames#0' },
    { machine: 1, dev: 'frames#0' },
  ],
  latencyNs: LATENCY,
} as const;

/** What passes a machine that does so, each at an instruction of its own. */
const passing = (events: readonly (readonly [tick: number, event: MachineEvent])[]): Traffic =>
  trafficOf(
    events.map(([tick, event], seq) => ({ seq, tick, source: 0, cause: seq, within: seq, event })),
    USUAL_PACE,
  );

const sent = (bytes: number[]): MachineEvent => ({
  kind: 'sim:packet_sent',
  ...{ client: 'nic', packet: 0, bytes: Uint8Array.from(bytes), header: new Uint8Array(0), due: 0 },
});
const queued = (bytes: number[]): MachineEvent => ({
  kind: 'sim:packet_queued',
  ...{ client: 'n0', packet: 0, sender: 'nic', refused: false, quiet: false, bytes: Uint8Array.from(bytes) },
});
const left: MachineEvent = { kind: 'sim:frame_left', dev: 'frames#0', packet: 0 };
const delayed = (by: number): MachineEvent => ({
  kind: 'sim:frame_delayed',
  ...{ dev: 'frames#0', packet: 0, by, free: 0 },
});
const came = (bytes: number[]): MachineEvent => ({
  kind: 'sim:frame_received',
  ...{ dev: 'frames#0', bytes: Uint8Array.from(bytes) },
});

const between = (sender: Traffic, receiver: Traffic) =>
  crossings(
    [
      { name: 'a', traffic: sender },
      { name: 'b', traffic: receiver },
    ],
    [LINK],
  );

const SENDER = passing([
  [10, sent([1, 2])],
  [10, left],
]);

describe('what came out of a link is held to what went in', () => {
  test('and is well when it is that, after the latency', () => {
    expect(between(SENDER, passing([[135, came([1, 2])]]))).toEqual({ frames: 1, faults: [] });
  });

  test('as it was when it left, not as it was sent first', () => {
    const finished = passing([
      [10, sent([1, 2])],
      [11, queued([1, 3])],
      [12, left],
    ]);
    expect(between(finished, passing([[137, came([1, 3])]])).faults).toEqual([]);
    expect(between(finished, passing([[137, came([1, 2])]])).faults).toHaveLength(1);
  });

  test.each([
    ['other bytes', [[135, came([1, 9])]], 'another frame than'],
    ['too soon', [[134, came([1, 2])]], 'before its time'],
    [
      'one too many',
      [
        [135, came([1, 2])],
        [140, came([1, 2])],
      ],
      'did not send',
    ],
    ['none, although it went on', [[400, left]], 'was not given what'],
  ] as const)('%s', (_what, events, said) => {
    expect(between(SENDER, passing(events)).faults).toEqual([expect.stringContaining(said)]);
  });

  test('and of a packet with what was left to be done to it', () => {
    const header = Uint8Array.from({ length: 10 }, (_, at) => at);
    const sender = passing([
      [10, { ...sent([1, 2]), header } as MachineEvent],
      [10, left],
    ]);
    const cameWith = (wanted: Uint8Array): Traffic =>
      passing([[135, { kind: 'sim:packet_received', dev: 'frames#0', bytes: Uint8Array.of(1, 2), header: wanted }]]);
    expect(between(sender, cameWith(header))).toEqual({ frames: 1, faults: [] });
    expect(between(sender, cameWith(new Uint8Array(10))).faults).toEqual([expect.stringContaining('another frame')]);
  });

  test('where frames are late, overtaken and doubled on their way, as the sender has drawn it', () => {
    const sender = passing([
      [10, sent([1])],
      [10, delayed(8000)],
      [10, left],
      [20, sent([2])],
      [20, left],
      [20, { kind: 'sim:frame_doubled', dev: 'frames#0', packet: 0 }],
      [20, delayed(800)],
      [20, left],
    ]);
    const received = (first: number[], last: number): Traffic =>
      passing([
        [145, came(first)],
        [245, came([2])],
        [last, came([1])],
      ]);
    expect(between(sender, received([2], 1135))).toEqual({ frames: 3, faults: [] });
    expect(between(sender, received([1], 1135)).faults).toEqual([expect.stringContaining('another frame than')]);
    expect(between(sender, received([2], 1134)).faults).toEqual([expect.stringContaining('before its time')]);
    expect(between(sender, passing([[145, came([2])]])).faults).toEqual([]);
    expect(
      between(
        sender,
        passing([
          [145, came([2])],
          [400, left],
        ]),
      ).faults,
    ).toEqual([expect.stringContaining('was not given what a frames#0 sent at event 7')]);
  });
});
