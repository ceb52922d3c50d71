import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Aside, tool } from '../../stepping-aside.ts';
import { CaseRecord, DIED, INT3, RECORD_SIZE } from './record.ts';

/** Runs cases on the host's processor. Where it gave no answer, a record's vector is HUNG, NO_SEGMENTS or DIED. */
export type RunOnHost = (cases: readonly CaseRecord[]) => CaseRecord[];

/** One process of a helper: the bytes it answered, or how it ended without. */
export type HelperProcess = (input: Uint8Array) => Uint8Array | string;

/** Cases over which the helper may die before it is asked no more. */
const MOST_DEATHS = 12;
const PATIENCE_MS = 120_000;

const notX64 = process.arch !== 'x64' || process.platform !== 'linux';

/** Build a program of these tests with gcc. Returns the folder it is in, or why there is none. */
export function buildHelper(source: string, options: readonly string[]): { readonly folder: string } | Aside {
  const what = 'the processor of this machine';
  if (notX64) return { what, why: 'It is compared with ours on x86-64 Linux only.', kind: 'host' };
  const missing = tool('gcc');
  if (missing !== undefined) return missing;
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-host-cpu-'));
  const built = spawnSync('gcc', [...options, '-o', join(folder, 'helper'), source], { encoding: 'utf8' });
  if (built.status === 0 && existsSync(join(folder, 'helper'))) return { folder };
  rmSync(folder, { recursive: true, force: true });
  const said = (built.stderr ?? '').split('\n').find((line) => line.includes('error')) ?? 'it says nothing';
  return { what: 'gcc', why: `It builds no program for x86-64 Linux (${said.trim()}).`, kind: 'tool' };
}

/** Run a built program once. */
export function helperProcess(folder: string): HelperProcess {
  return (input) => {
    const options = { input, maxBuffer: input.length + 4096, timeout: PATIENCE_MS };
    const { status, signal, error, stdout } = spawnSync(join(folder, 'helper'), [], options);
    if (status === 0 && stdout.length === input.length) return new Uint8Array(stdout);
    // Not the message: it names a folder that is another one each time.
    const reason = error !== undefined && 'code' in error ? `${error.code}` : `status ${status}`;
    return signal ?? reason;
  };
}

/** Runs batches; where the helper dies it is started again without the cases over which it did. */
export function surviving(helper: HelperProcess): RunOnHost {
  let deaths = 0;
  const run: RunOnHost = (cases) => {
    if (cases.length === 0) return [];
    const answers = deaths < MOST_DEATHS ? runCases(helper, cases) : 'too many deaths';
    if (typeof answers !== 'string') return answers;
    if (cases.length > 1 && deaths < MOST_DEATHS) {
      const half = cases.length >> 1;
      return [...run(cases.slice(0, half)), ...run(cases.slice(half))];
    }
    deaths += 1;
    return cases.map(died);
  };
  return run;
}

/** Run cases in one process: what they left, or how it ended before. */
export function runCases(helper: HelperProcess, cases: readonly CaseRecord[]): CaseRecord[] | string {
  const answer = helper(joined(cases));
  return typeof answer === 'string' ? answer : cases.map((_, at) => recordAt(answer, at));
}

function joined(cases: readonly CaseRecord[]): Uint8Array {
  const input = new Uint8Array(cases.length * RECORD_SIZE);
  for (const [i, record] of cases.entries()) input.set(record.bytes, i * RECORD_SIZE);
  return input;
}

function recordAt(output: Uint8Array, at: number): CaseRecord {
  const record = new CaseRecord(output.slice(at * RECORD_SIZE, (at + 1) * RECORD_SIZE));
  // The trap reports the address behind the INT3.
  if (record.vector === INT3) record.rip -= 1n;
  return record;
}

function died(record: CaseRecord): CaseRecord {
  const after = record.copy();
  after.vector = DIED;
  return after;
}
