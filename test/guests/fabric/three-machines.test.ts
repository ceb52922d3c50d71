import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { casesOf, LONG } from '../../how-long.ts';
import { fold } from '../../../src/cli/replay-commands.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { buildDaemons, noDaemons } from './daemons.ts';

const folder = scratchFolder();
const NAMES = ['one', 'two', 'three'] as const;

/** What a neighbour has been sent when all of it has come, as `bare.c` sums it up. */
const ALL_OF_IT = 'cddea102';

const cablesOf = (faults: object): readonly object[] =>
  [
    ['one:n0', 'two:n0'],
    ['one:n1', 'three:n0'],
    ['two:n1', 'three:n1'],
  ].map((between) => ({ between, ...faults }));

/** Three machines in a triangle, each with two cards, over cables with these faults. */
function triangle(name: string, faults: object): string {
  const cards = {
    netdev: ['frames,id=n0', 'frames,id=n1'],
    device: ['e1000,netdev=n0', 'e1000,netdev=n1'],
  };
  const common = {
    ...{ kernel: join(import.meta.dirname, 'bare.elf'), m: 16, nodefaults: true, serial: 'stdio', 'no-reboot': true },
    ...cards,
  };
  const path = join(folder, `${name}.json`);
  const machines = { one: {}, two: {}, three: {} };
  writeFileSync(path, JSON.stringify({ common, machines, cables: cablesOf(faults) }));
  return path;
}

const FAULTS = { jitter: '1ms', loss: 0.1, reorder: 0.1, duplicate: 0.05, bandwidth: 100_000_000 };

/** What a machine printed: where two speak at once each has pieces of lines. */
const saidBy = (machine: string, out: string): string =>
  out
    .split('\n')
    .filter((line) => line.startsWith(`${machine} `))
    .map((line) => line.replace(/^\w+ +\| ?|\r/g, ''))
    .join('')
    .trim();

const numberIn = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]);

/** Run with a seed, and verify that in fresh processes. Returns how many frames came. */
function carriedOf(machines: string, name: string, seed: number): number {
  const trace = join(folder, `${name}.trace`);
  const ran = retrovisor(['run', '--machine', machines, '--trace', trace, '--seed', `${seed}`, '--wall-clock', '17']);
  expect(ran, `seed ${seed}`).toMatchObject({ status: 0 });
  for (const machine of NAMES) expect(saidBy(machine, ran.out), `seed ${seed}`).toBe(ALL_OF_IT + ALL_OF_IT);
  const verified = retrovisor(['verify', trace]);
  expect(verified, `seed ${seed}`).toMatchObject({ status: 0, out: expect.stringContaining('3 of 3 traces equal') });
  return numberIn(verified.out, /equal {2}(\d+) frames between/);
}

describe('three machines in a triangle have from each other what was sent', LONG, () => {
  test.each([
    ['cables', {}, casesOf('RETROVISOR_FABRIC', { whole: 1, quick: 1 })],
    ['faults', FAULTS, casesOf('RETROVISOR_FABRIC_FAULTS', { whole: 3, quick: 1 })],
  ] as const)('over %s, with any seed', { timeout: 100_000_000 }, (name, faults, seeds) => {
    const machines = triangle(name, faults);
    const carried = Array.from({ length: seeds }, (_, seed) => {
      const frames = carriedOf(machines, name, seed);
      if (seed % 20 === 19) console.log(`${name}: ${seed + 1} runs verified, ${new Date().toISOString()}`);
      return frames;
    });
    console.log(`${name}: ${seeds} runs verified, of ${new Set(carried).size} different numbers of frames`);
    // Twelve to each of two neighbours, and their answers; what is lost is sent again.
    expect(Math.min(...carried)).toBeGreaterThanOrEqual(144);
    if (name === 'cables') expect(new Set(carried)).toEqual(new Set([144]));
  });

  test('the same with the same seed, otherwise with another', async () => {
    const machines = triangle('again', FAULTS);
    const ended = async (name: string, seed: string): Promise<readonly string[]> => {
      const trace = join(folder, `${name}.trace`);
      retrovisor(['run', '--machine', machines, '--trace', trace, '--seed', seed, '--wall-clock', '17']);
      return Promise.all(NAMES.map((machine) => printed((print) => fold(`${trace}:${machine}`, print))));
    };
    const first = await ended('first', '5');
    expect(first.join()).toMatch(/digests of \d+ slices equal/);
    expect(await ended('second', '5')).toEqual(first);
    expect(await ended('third', '6')).not.toEqual(first);
  }, 600_000);
});

/** Three Linux machines in a triangle, each with two cards and a program that has datagrams acknowledged. */
function linuxTriangle(): string {
  const { common, append } = buildDaemons(folder);
  const ends = {
    one: 'self=0 peers=10.1.0.2,10.2.0.2 cards=10.1.0.1,10.2.0.1',
    two: 'self=1 peers=10.1.0.1,10.3.0.2 cards=10.1.0.2,10.3.0.1',
    three: 'self=2 peers=10.2.0.1,10.3.0.1 cards=10.2.0.2,10.3.0.2',
  };
  const cards = {
    netdev: ['frames,id=n0', 'frames,id=n1'],
    device: ['virtio-net-pci,netdev=n0', 'virtio-net-pci,netdev=n1'],
  };
  const machines = Object.fromEntries(
    Object.entries(ends).map(([name, words]) => [name, { append: append(`role=node ${words}`) }]),
  );
  const path = join(folder, 'linux.json');
  writeFileSync(path, JSON.stringify({ common: { ...common, ...cards }, machines, cables: cablesOf(FAULTS) }));
  return path;
}

/** What each has been sent by the other two, as `daemons.c` sums it up. */
const FROM = { 'from 0': 'aa630cfc', 'from 1': '2a5f65fc', 'from 2': '09b720fc' } as const;

describe('three Linux machines in a triangle', { ...LONG, ...without(noDaemons()) }, () => {
  test('have from each other what was sent, over cables with faults', { timeout: 100_000_000 }, () => {
    const machines = linuxTriangle();
    for (let seed = 1; seed <= casesOf('RETROVISOR_FABRIC_LINUX', { whole: 1, quick: 1 }); seed += 1) {
      const trace = join(folder, 'linux.trace');
      const ran = retrovisor(['run', '--machine', machines, '--trace', trace, '--seed', `${seed}`]);
      expect(ran, `seed ${seed}`).toMatchObject({ status: 0 });
      for (const [at, machine] of NAMES.entries()) {
        const said = saidBy(machine, ran.out);
        for (const [from, sum] of Object.entries(FROM)) {
          expect(said.includes(`${from}: ${sum}`), `seed ${seed}: ${machine}: ${said}`).toBe(from !== `from ${at}`);
        }
      }
      const verified = retrovisor(['verify', trace]);
      expect(verified, `seed ${seed}`).toMatchObject({
        status: 0,
        out: expect.stringContaining('3 of 3 traces equal'),
      });
    }
  });
});
