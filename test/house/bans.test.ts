import { describe, expect, test } from 'vitest';
import { filesMatching, findings, PRODUCT, PROJECT_FILES } from './sources.ts';

type Ban = readonly [RegExp, string];

/** Only in `host`, the shells, the matchers and the recorded sources. */
const IMPURE: readonly Ban[] = [
  [/\bDate\.now\(|\bnew Date\(|\bperformance\.now\(|\bhrtime\b/, 'time is ticks: read the machine clock'],
  [/\bMath\.random\(|\bgetRandomValues\b|\brandomBytes\b/, 'draw from a named stream of the seed'],
  [/\bset(Timeout|Interval|Immediate)\(|\bqueueMicrotask\(/, 'schedule by a deadline in virtual time'],
  [/\btoLocale\w*\(|\bIntl\.|\blocaleCompare\(/, 'a locale differs between machines'],
  [
    /\bprocess\.(env|argv|exit|std|cwd|pid|platform|nextTick)|\bconsole\.(log|error|warn|info|debug)\(/,
    'only host and the command line talk to the process',
  ],
];

/** Nowhere in TypeScript of ours. */
const UNWANTED: readonly Ban[] = [
  [/@ts-ignore|@ts-nocheck|@ts-expect-error/, 'name the type'],
  [/^export default/, 'export by name'],
  [/\b(TODO|FIXME|XXX|HACK)\b/, 'do it, or say in the issue what is missing'],
];

/** Text leaves by `host/output.ts`, which makes it printable; bytes of a guest's own live console leave as they are. */
const UNESCAPED: readonly Ban[] = [
  [/\bstd(out|err)\.write\(/, 'print by host/output.ts: what a text quotes may be a command to the terminal'],
  [/\bwriteOut\b/, 'only what runs a guest before somebody writes its bytes as they are'],
  [/\bwriteSync\(\s*[12]\b/, 'print by host/output.ts'],
];
const OUTPUT = /^src\/host\/(output|terminal|progress)\.ts$/;
const SHOWS_A_LIVE_CONSOLE = /^src\/cli\/tour\.ts$/;

const IMPURE_ALLOWED = /^src\/(host|cli|gdb|replay\/sources)\//;

/** What Node has beside the language and what every browser has; below it there is a World to ask. */
const NODES: readonly Ban[] = [
  [
    /\bBuffer\b|\bNodeJS\.|\bprocess\.|\brequire\(|\b__(dirname|filename)\b/,
    'ask the World: a browser has no such thing',
  ],
];
const NODE_ALLOWED = /^src\/(host|options|api|testing|cli|gdb)\//;
const DEFAULT_EXPORT_ALLOWED = /^(vitest\.config|knip\.config|test\/summary-reporter)\.ts$/;
const IS_COMMENT = /^\s*(\/\/|\*|\/\*)/;

const offenceAgainst = (bans: readonly Ban[]) => (line: string) => {
  if (IS_COMMENT.test(line) && !line.includes('@ts-')) return undefined;
  return bans.find(([pattern]) => pattern.test(line) && !line.includes('biome-ignore'))?.[1];
};

describe('bans', () => {
  test('nothing below host reads a clock, chance, a timer, a locale or the process', () => {
    const pure = PRODUCT.filter(({ path }) => !IMPURE_ALLOWED.test(path));
    expect(pure.length).toBeGreaterThan(5);
    expect(findings(pure, offenceAgainst(IMPURE))).toEqual([]);
  });

  test('no room that runs in a browser knows what only Node has', () => {
    const pure = PRODUCT.filter(({ path }) => !NODE_ALLOWED.test(path));
    expect(findings(pure, offenceAgainst(NODES))).toEqual([]);
    expect(offenceAgainst(NODES)("return Buffer.from(bytes).toString('latin1');")).toMatch(/^ask the World/);
  });

  test('no text reaches a terminal but by the one way that escapes what a terminal would obey', () => {
    const printing = PRODUCT.filter(({ path }) => !OUTPUT.test(path) && !SHOWS_A_LIVE_CONSOLE.test(path));
    expect(printing.some(({ path }) => path === 'src/cli/main.ts')).toBe(true);
    expect(findings(printing, offenceAgainst(UNESCAPED))).toEqual([]);
    const planted = ['process.stderr.write(path);', 'writeOut(Buffer.from(text));', 'writeSync(1, bytes);'];
    for (const line of planted) expect(offenceAgainst(UNESCAPED)(line)).toBeDefined();
  });

  test('no file of ours silences the compiler, exports by default or holds a note to do', () => {
    const ours = filesMatching(/^(src|test|scripts|bench)\/.*\.ts$|^[^/]*\.ts$/).filter(
      ({ path }) => !DEFAULT_EXPORT_ALLOWED.test(path) && path !== 'test/house/bans.test.ts',
    );
    expect(findings(ours, offenceAgainst(UNWANTED))).toEqual([]);
  });

  test('no file or folder is named utils, helpers, manager, common or misc', () => {
    const vague = /(^|[/.-])(utils?|helpers?|manager|common|misc)([/.-]|$)/;
    expect(PROJECT_FILES.filter((path) => path.endsWith('.ts') && vague.test(path))).toEqual([]);
  });

  test('source files are named in kebab-case', () => {
    const named = PROJECT_FILES.filter((path) => /^(src|test|scripts|bench)\/.*\.(ts|js)$/.test(path));
    expect(named.filter((path) => !/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(path.split('/').pop() as string))).toEqual([]);
  });

  test('a planted offence of each kind is found', () => {
    const planted = [
      'const now = Date.now();',
      'return Math.random();',
      'setTimeout(step, 5);',
      'names.sort((a, b) => a.localeCompare(b));',
      'console.log(1);',
    ];
    expect(planted.filter((line) => offenceAgainst(IMPURE)(line) === undefined)).toEqual([]);
    expect(offenceAgainst(UNWANTED)('// @ts-ignore')).toBe('name the type');
  });
});
