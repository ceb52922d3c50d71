import { describe, expect, test } from 'vitest';
import { NODE } from '../../src/host/node.ts';
import { startRecording } from '../../src/runs/underway/recording.ts';
import type { Files } from '../../src/runs/world.ts';
import { sampleEvents } from '../replay/trace/sample.ts';

/** A recording into memory whose clock the test turns. */
function recorder() {
  let now = 0;
  const written: Uint8Array[] = [];
  const sink = { append: (bytes: Uint8Array) => void written.push(bytes), close: () => undefined };
  const files = { refuseOtherThanTrace: () => undefined, createTrace: () => sink } as unknown as Files;
  const world = { files, compress: NODE.compress, milliseconds: () => now };
  const recording = startRecording(world, { path: 'x' }, { engineVersion: 'test', machine: {}, images: [], seed: '1' });
  recording.begin();
  written.length = 0;
  return { recording, written, wait: (milliseconds: number) => void (now += milliseconds) };
}

describe('what is told is written', () => {
  test('before a second is over, however little it is', () => {
    const { recording, written, wait } = recorder();
    recording.next(sampleEvents(1)[0]!);
    recording.writeWhenDue();
    expect(written).toHaveLength(0);
    wait(500);
    recording.writeWhenDue();
    expect(written).toHaveLength(1);
    wait(500);
    recording.writeWhenDue();
    expect(written).toHaveLength(1);
  });

  test('while the machine goes on without a pause', () => {
    const { recording, written, wait } = recorder();
    for (const stamped of sampleEvents(1000)) {
      recording.next(stamped);
      wait(1);
    }
    expect(written).toHaveLength(1);
  });

  test('without an end when the run did not come to one', () => {
    const { recording, written } = recorder();
    for (const stamped of sampleEvents(10)) recording.next(stamped);
    recording.breakOff();
    expect(written).toHaveLength(1);
  });
});
