import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Aside, without } from '../stepping-aside.ts';
import { filesMatching, filesOfGit, findings, PROJECT_FILES, ROOT, textOf, walkedFiles } from './sources.ts';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly resolved?: string }>>;
}

const manifest = JSON.parse(textOf('package.json')) as Manifest;
const lock = JSON.parse(textOf('package-lock.json')) as Lock;
const pins = { ...manifest.dependencies, ...manifest.devDependencies };
const TEXT_FILES = /\.(ts|js|json|md|sh|yml|yaml|txt|s|S|c|h|asm)$|^\.ci\//;

const noRepository: Aside | undefined =
  filesOfGit() === undefined ? { what: 'git', why: 'It does not know this folder.', kind: 'host' } : undefined;

describe('packages', () => {
  test('every dependency is pinned to one exact version', () => {
    expect(Object.entries(pins).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test('the lock file holds the pinned versions', () => {
    const stale = Object.entries(pins).filter(([name, pin]) => lock.packages[`node_modules/${name}`]?.version !== pin);
    expect(stale).toEqual([]);
  });

  test('the lock file names no registry but the public one', () => {
    const hosts = Object.values(lock.packages).flatMap(({ resolved }) =>
      resolved === undefined ? [] : [new URL(resolved).host],
    );
    expect([...new Set(hosts)].filter((host) => host !== 'registry.npmjs.org')).toEqual([]);
  });
});

describe('committed files', () => {
  test('none names a folder of the machine it was written on', () => {
    const machinePath = new RegExp(['/work/(main|shared|\\.)', '/home/[a-z]+/', '/tmp/brief', '/root/\\.'].join('|'));
    const files = filesMatching(TEXT_FILES).filter(({ path }) => path !== 'test/house/project.test.ts');
    expect(files.length).toBeGreaterThan(20);
    expect(findings(files, (line) => machinePath.exec(line)?.[0])).toEqual([]);
  });

  test('are the same without git to ask, as in a folder that came as an archive', without(noRepository), () => {
    expect(walkedFiles()).toEqual(filesOfGit('--exclude-per-directory=.gitignore'));
  });

  test('none is built, fetched or larger than 4 MB', () => {
    expect(PROJECT_FILES.filter((path) => /^(dist|node_modules|\.guests)\//.test(path))).toEqual([]);
    const large = PROJECT_FILES.filter((path) => textOf(path).length > 4 << 20);
    expect(large).toEqual([]);
  });
});

describe('documents', () => {
  const documents = filesMatching(/\.md$/);

  test('every relative link leads to a file', () => {
    const broken = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] as string)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(join(ROOT, posix.join(posix.dirname(path), target))))
        .map((target) => `${path} links to ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('ARCHITECTURE.md stays a page one reads: at most 200 lines', () => {
    expect(textOf('ARCHITECTURE.md').split('\n').length).toBeLessThanOrEqual(200);
  });

  test('every decision has its own number, in order, and a status', () => {
    const titles = [...textOf('DECISIONS.md').matchAll(/^## (D-\d+) .*$/gm)].map((match) => match[0]);
    expect(titles.map((title) => title.slice(3, 8))).toEqual(
      titles.map((_, index) => `D-${String(index + 1).padStart(3, '0')}`),
    );
    expect(titles.filter((title) => !/ · (accepted|superseded by D-\d+) \d{4}-\d{2}$/.test(title))).toEqual([]);
  });

  test('every npm script the documents name exists', () => {
    const scripts = JSON.parse(textOf('package.json')).scripts as Record<string, string>;
    const named = documents.flatMap(({ text }) =>
      [...text.matchAll(/`npm run ([a-z:]+)/g)].map((match) => match[1] as string),
    );
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

describe('tests', () => {
  test('every unit test stands where its subject stands under src', () => {
    const apart = /^test\/(house|guests|golden|sim|fuzz|bench|scripts|oracle)\//;
    const units = PROJECT_FILES.filter((path) => path.endsWith('.test.ts') && !apart.test(path));
    const homeless = units.filter((path) => !existsSync(join(ROOT, posix.dirname(path).replace(/^test/, 'src'))));
    expect(homeless).toEqual([]);
  });
});
