import { describe, expect, test } from 'vitest';
import { hexadecimal } from '../../../src/base/bytes.ts';
import type { UserNetSetup } from '../../../src/net/user/index.ts';
import { Wire } from '../../net/wire.ts';
import { FILES } from './files.ts';
import { recordedScenes, type Scene, type Step } from './transcript.ts';

/** Frames whose answers are not libslirp's, and why. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'fragments: covered 0: covered 4':
    'libslirp 4.7.0 loses a part that comes before one it has, where it does not end QEMU',
};

const SCENES = recordedScenes();

function setupOf({ options }: Scene): Partial<UserNetSetup> {
  const setup: Record<string, string | number | boolean> = {};
  for (const [name, value] of options) {
    const before = setup[name];
    if (name === 'restrict') setup[name] = value === 'on';
    else if (name === 'ipv6-prefixlen') setup[name] = Number(value);
    else setup[name] = before === undefined ? value : `${before}\n${value}`;
  }
  if (setup['tftp'] === undefined) return setup;
  const served = Object.entries(FILES).map(([name, bytes]) => [name, { file: name, size: bytes.length }]);
  return { ...setup, tftp: 'files', served: Object.fromEntries(served) };
}

function answersOf(wire: Wire, { frame, wait }: Step): string[] {
  const answers = wire.frames(frame).map(hexadecimal);
  return [...answers, ...wire.pass(1_000_000 * wait).map(({ bytes }) => hexadecimal(bytes))];
}

const isExcused = (scene: Scene, { note }: Step): boolean => OTHERWISE[`${scene.name}: ${note}`] !== undefined;

describe('libslirp 4.7.0 of QEMU 7.2', () => {
  test.each(SCENES.map((scene) => [scene.name, scene] as const))('%s', (_, scene) => {
    const wire = new Wire(setupOf(scene));
    for (const [name, bytes] of Object.entries(FILES)) wire.files.set(name, bytes);
    const [ours, theirs] = [[], []] as [unknown[], unknown[]];
    for (const step of scene.steps) {
      const answers = answersOf(wire, step);
      if (isExcused(scene, step)) continue;
      ours.push([step.note, ...answers]);
      theirs.push([step.note, ...step.answers.map(hexadecimal)]);
    }
    expect(ours).toEqual(theirs);
  });

  test('is asked much, and hardly anything is excused', () => {
    const steps = SCENES.flatMap((scene) => scene.steps.map((step) => isExcused(scene, step)));
    expect(steps.length).toBeGreaterThan(2900);
    expect(steps.filter(Boolean).length).toBe(Object.keys(OTHERWISE).length);
    expect(steps.filter(Boolean).length).toBeLessThanOrEqual(steps.length / 100);
  });
});
