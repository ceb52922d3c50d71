import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { record, replay } from '../../src/api/index.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { NODE } from '../../src/host/node.ts';
import { compress, createTraceFile, openTraceFile } from '../../src/host/trace-file.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { lazyEvents } from '../../src/replay/trace/lazy-events.ts';
import { createTraceWriter } from '../../src/replay/trace/writer.ts';
import { differenceOfTraces } from '../../src/replay/trace-difference.ts';
import { bundled } from '../browser/bundle.ts';
import { inChromium, noChromium } from '../browser/chromium.ts';
import { traceFolder } from '../debugger/recorded-tour.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { PRODUCT, ROOT } from './sources.ts';

/** Rooms that know nothing of Node: ARCHITECTURE.md, "Who imports whom". */
const IN_A_BROWSER =
  /^src\/(base|events|x86|memory|engine|kvm|devices|vmm|reducers|machine|replay|runs|debugger)\/.*\.ts$/;

const importing = (paths: readonly string[]): string => paths.map((path) => `import './${path}';`).join('\n');

/** The same event, told falsely. */
const otherwise = (stamped: Stamped): Stamped => {
  const { event } = stamped;
  return event.kind === 'kvm_cpuid' ? { ...stamped, event: { ...event, rbx: event.rbx + 1 } } : stamped;
};

describe('what runs in a browser', () => {
  test('is all that runs and the debugger are made of, bundled', async () => {
    const paths = PRODUCT.map(({ path }) => path).filter((path) => IN_A_BROWSER.test(path));
    expect(paths.length).toBeGreaterThan(300);
    const { code, problems } = await bundled(importing(paths));
    expect(problems).toEqual([]);
    expect(code.length).toBeGreaterThan(1_000_000);
  });

  test('is not what imports Node, and the file that does is named', async () => {
    const { problems } = await bundled(importing(['src/api/index.ts']));
    expect(problems).toContain('src/host/trace-file.ts: Could not resolve "node:zlib"');
    expect((await bundled("import 'fs';")).problems).toEqual(['entry.ts: Could not resolve "fs"']);
  });
});

describe('our own guest in headless Chromium', { ...LONG, ...without(noChromium) }, () => {
  const folder = traceFolder();
  const kernel = 'guests/tour/tour.elf';
  const files = { 'own:guests/tour/tour.elf': new Uint8Array(readFileSync(join(ROOT, kernel))) };
  const machine = ['-smp', '2', '--wall-clock', '1700000000'];
  const trace = join(folder, 'tour.trace');
  let recorded: Uint8Array;

  beforeAll(async () => {
    await record([...machine, '--trace', trace]);
    recorded = new Uint8Array(readFileSync(trace));
  });

  test("replays Node's recording to Node's digests, and asks nobody else for anything", async () => {
    const here = await replay(trace);
    const there = await inChromium(
      { version: NODE.version, replay: 'tour.trace' },
      { ...files, 'tour.trace': recorded },
    );
    expect(there.failure).toBeUndefined();
    expect(there.ran).toEqual(here);
    expect(here.divergence).toBeUndefined();
    expect(here.agreed).toBe(here.events);
    expect(there.requests.filter((url) => !url.startsWith(`${there.origin}/`))).toEqual([]);
  });

  test('names the first event that comes out otherwise, as Node does', async () => {
    const spoilt = join(folder, 'spoilt.trace');
    const from = openTraceFile(trace);
    const { engineVersion, machine: made, images, seed } = from.header;
    const sink = createTraceFile(spoilt);
    const writer = createTraceWriter(sink, compress, { engineVersion, machine: made, images, seed });
    for (const stamped of inOrder(from)) writer.append(otherwise(stamped));
    writer.close();
    sink.close();
    const task = { version: NODE.version, replay: 'spoilt.trace' };
    const there = await inChromium(task, { ...files, 'spoilt.trace': new Uint8Array(readFileSync(spoilt)) });
    expect(there.ran?.divergence).toContain('kvm_cpuid');
    expect(there.ran).toEqual(await replay(spoilt));
  });

  test('is not run with another image than the recorded one', async () => {
    const [other = ''] = Object.keys(files);
    const task = { version: NODE.version, replay: 'tour.trace' };
    const there = await inChromium(task, { [other]: Uint8Array.of(1, 2, 3), 'tour.trace': recorded });
    expect(there.failure).toContain('the kernel was not given to the page');
  });

  test('is recorded there as it is here', async () => {
    const options = { ...runOptions([...machine, '--trace', 'page.trace']), trace: 'page.trace' };
    const there = await inChromium({ version: NODE.version, record: options }, files);
    expect(there.failure).toBeUndefined();
    const path = join(folder, 'page.trace');
    writeFileSync(path, there.trace as Uint8Array);
    const { a, b } = { a: openTraceFile(trace), b: openTraceFile(path) };
    expect(differenceOfTraces({ a: lazyEvents(a).events, b: lazyEvents(b).events })).toBeUndefined();
    expect((await replay(path)).divergence).toBeUndefined();
  });
});
