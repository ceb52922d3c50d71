import { describe, expect, test } from 'vitest';
import { campaign } from './campaign.ts';
import { type HelperProcess, surviving } from './native-process.ts';
import type { HostCpu } from './host.ts';
import { ourCpu } from './ours.ts';
import { probeHost } from './probe.ts';
import { CaseRecord, DIED, INT3, NO_SEGMENTS, RECORD_SIZE } from './record.ts';
import { freshEngine } from './run.ts';

const GP = 13;
const UD = 6;
const PF = 14;
const AC = 17;
const POPCNT = [0xf3, 0x0f, 0xb8];
const cpu = ourCpu(freshEngine());

/** What a made-up host does instead of ours with a case; a text is what the helper dies of. */
type Otherwise = (record: CaseRecord, after: CaseRecord) => string | undefined;

/** A helper that answers as our processor does, and so can be used on any machine, with faults planted in it. */
const helperThat =
  (otherwise: Otherwise): HelperProcess =>
  (input) => {
    const output = new Uint8Array(input.length);
    for (let at = 0; at < input.length; at += RECORD_SIZE) {
      const record = new CaseRecord(input.slice(at, at + RECORD_SIZE));
      const after = cpu.run(record);
      if (after.vector === INT3) after.rip += 1n;
      const death = otherwise(record, after);
      if (death !== undefined) return death;
      output.set(after.bytes, at);
    }
    return output;
  };

const hostThat = (otherwise: Otherwise, disagreeing = ''): HostCpu => {
  const helper = helperThat(otherwise);
  return { run: surviving(helper), areas: probeHost(helper, disagreeing), close: () => undefined };
};

const named = ({ areas }: HostCpu): string[] => areas.asides.map(({ what }) => what);
const isPopcnt = ({ code }: CaseRecord): boolean => POPCNT.every((byte, at) => code[at] === byte);

/** Hypervisors under which INT3 of a 16-bit segment arrives as #GP. */
const int3IsGp: Otherwise = ({ bitness }, after) => {
  if (bitness === 16 && after.vector === INT3) Object.assign(after, { vector: GP, rip: after.rip - 1n });
  return undefined;
};

describe('what a host is asked first', () => {
  test('has the answers of the manual, which our processor gives too', () => {
    expect(hostThat(() => undefined).areas.asides).toEqual([]);
  });

  test('finds a mode in which breakpoints arrive as something else, and leaves the others', () => {
    const host = hostThat(int3IsGp);
    expect(host.areas.asides).toEqual([
      {
        what: '16-bit code',
        why: 'The INT3 behind NOP arrives as #GP on this host.',
        kind: 'host',
      },
    ]);
    const nop = Uint8Array.of(0x90);
    expect(host.areas.ofInstruction(nop, 16)).toBeDefined();
    expect([host.areas.ofInstruction(nop, 32), host.areas.ofInstruction(nop, 64)]).toEqual([undefined, undefined]);
  });

  test.each(['SIGSEGV', 'SIGILL', 'status 2'])('finds a mode in which the helper dies of %s', (death) => {
    const host = hostThat(({ bitness }) => (bitness === 32 ? death : undefined));
    const why = `The program that runs single instructions ended with ${death} here.`;
    expect(host.areas.asides).toEqual([{ what: '32-bit code', why, kind: 'host' }]);
  });

  test('finds the one instruction over which it dies', () => {
    const host = hostThat((record) => (isPopcnt(record) && record.bitness === 64 ? 'SIGSEGV' : undefined));
    expect(named(host)).toEqual(['POPCNT in 64-bit code']);
  });

  test('finds segments that are not to be had', () => {
    const host = hostThat(({ bitness }, after) => {
      if (bitness === 16) after.vector = NO_SEGMENTS;
      return undefined;
    });
    expect(host.areas.asides.map(({ what, why }) => `${what}: ${why}`)).toEqual([
      '16-bit code: This host gives no 16-bit segments (modify_ldt).',
    ]);
  });

  test('finds a feature that is missing, and what else needs it', () => {
    const host = hostThat((record, after) => {
      if (isPopcnt(record)) Object.assign(after, { vector: UD, rip: record.bitness === 16 ? 0x800n : 0x300800n });
      return undefined;
    });
    expect(named(host)).toEqual([64, 32, 16].map((bitness) => `POPCNT in ${bitness}-bit code`));
    expect(host.areas.ofInstruction(Uint8Array.of(...POPCNT, 0xc8), 64)?.why).toBe('POPCNT raises #UD on this host.');
    expect(host.areas.ofInstruction(Uint8Array.of(0x01, 0xc8), 64)).toBeUndefined();
  });

  test('finds a fault that arrives otherwise', () => {
    const host = hostThat(({ bitness }, after) => {
      if (bitness === 32 && after.vector === PF) after.errorCode = 4;
      return undefined;
    });
    expect(named(host)).toEqual(['#PF in 32-bit code']);
    expect(host.areas.ofFault(PF, 32)?.why).toContain('leaves the error code as 0x4 here, where the manual says 0x6');
    expect([host.areas.ofFault(PF, 64), host.areas.ofFault(GP, 32)]).toEqual([undefined, undefined]);
  });

  test('finds a kernel that traps locked accesses across cache lines', () => {
    const host = hostThat(({ code, bitness }, after) => {
      if (code[0] === 0xf0) Object.assign(after, { vector: AC, rip: bitness === 16 ? 0x800n : 0x300800n });
      return undefined;
    });
    expect(named(host)).toContain('#AC in 64-bit code');
    expect(host.areas.ofFault(AC, 64)?.why).toBe('LOCK ADD across cache lines raises #AC on this host.');
  });

  test('is taken for wrong where one says so', () => {
    const areas = ['16-bit code', 'SSE4_2 in 64-bit code', '#MF in 32-bit code'];
    expect(named(hostThat(() => undefined, areas.join(', '))).sort()).toEqual([...areas].sort());
    expect(named(hostThat(() => undefined, 'all'))).toEqual(['64-bit code', '32-bit code', '16-bit code']);
  });
});

describe('a campaign', () => {
  const plan = { seed: 'aside', cases: 150 };

  test('asks nothing of a mode that the host gets wrong, and names it', () => {
    const { cases, asides, reports } = campaign({ ...plan, bitness: 16 }, freshEngine(), hostThat(int3IsGp));
    expect([cases, reports]).toEqual([0, []]);
    expect(asides.map(({ what }) => what)).toEqual(['16-bit code']);
  });

  test('leaves out what needs a feature that the host gets wrong, and compares the rest', () => {
    const host = hostThat((record, after) => {
      if (isPopcnt(record)) after.setGpr(0, 99n);
      return undefined;
    });
    const only = /^(POPCNT|ADD) /;
    const { cases, asides, reports, untried } = campaign({ ...plan, bitness: 32, only }, freshEngine(), host);
    expect([cases, reports]).toEqual([plan.cases, []]);
    expect(untried.every((text) => text.startsWith('POPCNT'))).toBe(true);
    expect(asides.map(({ what }) => what)).toEqual(['POPCNT in 32-bit code']);
  });

  test('survives a helper that dies over cases which the questions did not foresee', () => {
    const host = hostThat(({ code, bitness }) => (bitness === 64 && code[0] === 0x04 ? 'SIGSEGV' : undefined));
    const { cases, asides, reports } = campaign({ ...plan, bitness: 64, only: /^ADD A/ }, freshEngine(), host);
    expect([cases, reports]).toEqual([plan.cases, []]);
    expect(asides.map(({ what }) => what)).toEqual(['some cases of 64-bit code']);
    expect(asides[0]?.why).toMatch(/^This host had no answer to \d+ of them, ADD A.* the last\.$/);
  });

  test('still reports what our processor and an honest host do differently', () => {
    const host = hostThat(({ code }, after) => {
      if (code[0] === 0x04) after.setGpr(0, after.gpr(0) ^ 1n);
      return undefined;
    });
    const { reports, asides } = campaign({ ...plan, bitness: 64, only: /^ADD A/ }, freshEngine(), host);
    expect(reports).toHaveLength(1);
    expect(asides).toEqual([]);
  });
});

test('a helper that dies again and again is given up, and the cases are known as unanswered', () => {
  let processes = 0;
  const run = surviving(() => {
    processes += 1;
    return 'SIGSEGV';
  });
  const answers = run(Array.from({ length: 4096 }, () => new CaseRecord()));
  expect(answers.every(({ vector }) => vector === DIED)).toBe(true);
  expect(processes).toBeLessThan(100);
});
