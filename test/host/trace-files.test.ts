import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { locked } from '../../src/host/lock.ts';
import { NODE } from '../../src/host/node.ts';
import { compress, createTraceFile, openTraceFile, TRACE_FILES } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../src/replay/trace/writer.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { sampleEvents, SUBJECT } from '../replay/trace/sample.ts';

const folder = scratchFolder();
const at = (name: string): string => join(folder, name);

/** A trace of so many events. */
function written(path: string, count: number, pieceBytes?: number) {
  const file = createTraceFile(path, pieceBytes);
  const writer = createTraceWriter(file, compress, SUBJECT);
  for (const stamped of sampleEvents(count)) writer.append(stamped);
  writer.close();
  file.close();
}

function eventsIn(path: string) {
  const trace = openTraceFile(path);
  const { events, damage } = readAll(trace);
  trace.close();
  return { events: events.length, damage };
}

describe('the trace before', () => {
  test('is kept with what belongs to it, and the one before that goes', () => {
    for (const count of [10, 20, 30]) {
      written(at('kept'), count);
      writeFileSync(at('kept.ckpt'), `of ${count}`);
    }
    expect(eventsIn(at('kept')).events).toBe(30);
    expect(eventsIn(at('kept.old')).events).toBe(20);
    expect(readFileSync(at('kept.old.ckpt'), 'utf8')).toBe('of 20');
    expect(readdirSync(folder).filter((name) => name.startsWith('kept'))).toHaveLength(4);
  });

  test('is kept by a fork too, once that is whole', () => {
    written(at('fork'), 10);
    const file = TRACE_FILES.createWhole(at('fork'), 'trace');
    const writer = createTraceWriter(file, compress, SUBJECT);
    expect(existsSync(at('fork.old'))).toBe(false);
    writer.close();
    file.close();
    expect(eventsIn(at('fork.old')).events).toBe(10);
  });

  test('never takes the place of something else', () => {
    written(at('mine'), 10);
    writeFileSync(at('mine.old'), 'my notes');
    expect(() => written(at('mine'), 20)).toThrow('mine.old exists and is not a trace');
    expect(eventsIn(at('mine')).events).toBe(10);
  });
});

describe('one file has one recorder', () => {
  test('the second is refused with the number of the first, by whatever name', () => {
    const first = createTraceFile(at('busy'));
    symlinkSync(at('busy'), at('alias'));
    expect(() => createTraceFile(at('busy'))).toThrow('busy is being written by this very process.');
    expect(() => createTraceFile(at('alias'))).toThrow('is being written by this very process.');
    expect(() => TRACE_FILES.createWhole(at('busy'), 'trace')).toThrow('is being written by this very process.');
    first.close();
    createTraceFile(at('busy')).close();
    expect(existsSync(at('busy.lock'))).toBe(false);
  });

  test('one that was killed is no obstacle, nor is another process with its number', () => {
    const holder = at('holder.mjs');
    const lock = join(import.meta.dirname, '../../src/host/lock.ts');
    writeFileSync(
      holder,
      `import { locked } from ${JSON.stringify(lock)}; locked(process.argv[2]); process.kill(process.pid, 'SIGKILL');`,
    );
    expect(spawnSync(process.execPath, ['--import', 'tsx', holder, at('left')]).signal).toBe('SIGKILL');
    expect(existsSync(at('left.lock'))).toBe(true);
    locked(at('left'))();
    const own = locked(at('left'));
    const ours = JSON.parse(readFileSync(at('left.lock'), 'utf8'));
    own();
    writeFileSync(at('left.lock'), JSON.stringify({ ...ours, started: '1' }));
    locked(at('left'))();
    writeFileSync(at('left.lock'), JSON.stringify({ ...ours, boot: 'another' }));
    locked(at('left'))();
    expect(existsSync(at('left.lock'))).toBe(false);
  });

  test('one that nobody here can see is asked for, and a file that is no lock is left', () => {
    const own = locked(at('far'));
    const ours = JSON.parse(readFileSync(at('far.lock'), 'utf8'));
    own();
    writeFileSync(at('far.lock'), JSON.stringify({ ...ours, host: 'elsewhere' }));
    expect(() => locked(at('far'))).toThrow(`on elsewhere: if that is no more, remove ${at('far.lock')}`);
    writeFileSync(at('far.lock'), 'packages: 3');
    expect(() => locked(at('far'))).toThrow('is no lock of Retrovisor');
    expect(readFileSync(at('far.lock'), 'utf8')).toBe('packages: 3');
  });
});

describe('a trace in pieces', () => {
  const COUNT = 30_000;

  test('is read as one, of which no piece is larger than was asked', () => {
    written(at('one'), COUNT);
    const whole = readFileSync(at('one'));
    const most = Math.ceil(whole.length / 5);
    written(at('pieces'), COUNT, most);
    const names = readdirSync(folder).filter((name) => name.startsWith('pieces'));
    expect(names.length).toBeGreaterThan(3);
    const parts = names.sort().map((name) => readFileSync(at(name)));
    expect(parts.every(({ length }) => length <= most)).toBe(true);
    expect(Buffer.concat(parts).equals(whole)).toBe(true);
    expect(eventsIn(at('pieces'))).toEqual({ events: COUNT, damage: undefined });
    const source = TRACE_FILES.open(at('pieces'));
    expect(NODE.sha256(source.read(0, source.size))).toBe(NODE.sha256(whole));
    expect(Buffer.from(source.read(most - 5, 10)).equals(whole.subarray(most - 5, most + 5))).toBe(true);
    source.close();
  });

  test('is kept with all of them, and leaves none behind', () => {
    written(at('pieces'), 10);
    expect(eventsIn(at('pieces'))).toEqual({ events: 10, damage: undefined });
    expect(eventsIn(at('pieces.old'))).toEqual({ events: COUNT, damage: undefined });
    expect(existsSync(at('pieces.001'))).toBe(false);
  });

  test('says so when a piece or the last is gone', () => {
    writeFileSync(at('short'), readFileSync(at('pieces.old')));
    writeFileSync(at('short.001'), readFileSync(at('pieces.old.001')));
    expect(eventsIn(at('short')).damage).toContain('short has no end');
    written(at('gone'), COUNT, Math.ceil(statSync(at('one')).size / 5));
    rmSync(at('gone'));
    expect(() => written(at('gone'), 10)).toThrow('gone.001 is in the way');
    writeFileSync(at('short.001'), readFileSync(at('pieces.old.002')));
    expect(eventsIn(at('short')).damage).toContain('is out of order');
  });

  test('takes no file of somebody else for a piece', () => {
    writeFileSync(at('plain.001'), 'notes');
    written(at('plain'), 10);
    expect(eventsIn(at('plain'))).toEqual({ events: 10, damage: undefined });
    expect(() => written(at('plain'), 10, 1 << 20)).toThrow('plain.001 is in the way');
    expect(readFileSync(at('plain.001'), 'utf8')).toBe('notes');
  });
});

test('two names of one file are one file’s, however it got them', () => {
  const path = at('named');
  writeFileSync(path, '');
  linkSync(path, at('named-again'));
  symlinkSync(path, at('points'));
  const others = [join(folder, '.', 'named'), at('named-again'), at('points'), at('nowhere')];
  expect(others.map((other) => TRACE_FILES.areSame(path, other))).toEqual([true, true, true, false]);
  expect(TRACE_FILES.areSame(at('nowhere'), join(folder, '.', 'nowhere'))).toBe(true);
});
