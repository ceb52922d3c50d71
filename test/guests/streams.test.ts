import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { programsOf, ROOT, type StrangersProject, strangersProject } from './packed.ts';

const PROGRAMS = programsOf('docs/streams.md');
const COMPILER = join(ROOT, 'node_modules/typescript/bin/tsc');

/** How a program of today resolves a package. */
const RESOLUTIONS = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'esnext', moduleResolution: 'bundler' },
] as const;

/** What each program prints about our own guest. */
const PRINTED: Readonly<Record<string, RegExp>> = {
  'exits.ts': /instruction \d+: 4000 exits[\s\S]*ended 0 \[\s*\[ 'IO_INSTRUCTION', \d+ \]/,
  'interrupt-enable.ts': /^IER = 0x0\n(IER = 0x[0-9a-f]+\n)+$/,
  'ports.ts': /'?0x3f8'? *│ *\d+ *│ *\d{3,}/,
  'alarm.ts': /^event \d+, instruction \d+: sim:pic_write .*\nrip 0x[0-9a-f]+\n$/,
  'causes.ts': /^\d+ vcpu0 kvm_inj_virq IRQ 0x[0-9a-f]+\n[\s\S]*\d+ vcpu0 kvm_exit vcpu 0 reason \w+ .*\n$/,
};

let project: StrangersProject;
beforeAll(() => {
  project = strangersProject(['rxjs', '@types/node', 'undici-types']);
  for (const [name, program] of PROGRAMS) writeFileSync(join(project.folder, name), program);
});

describe('the programs of docs/streams.md, in a project that has nothing but the package', () => {
  test('are the five there are', () => {
    expect([...PROGRAMS.keys()].sort()).toEqual(Object.keys(PRINTED).sort());
  });

  test.each(RESOLUTIONS)('compile with $moduleResolution, every declaration checked', (resolution) => {
    const options = {
      ...resolution,
      target: 'es2023',
      lib: ['es2023'],
      types: ['node'],
      strict: true,
      skipLibCheck: false,
    };
    const config = {
      compilerOptions: { ...options, noEmit: true },
      files: [...PROGRAMS.keys()],
    };
    writeFileSync(join(project.folder, 'tsconfig.json'), JSON.stringify(config));
    expect(project.run(process.execPath, [COMPILER])).toBe('');
  });

  test.each(Object.entries(PRINTED))('%s runs, and prints what it says', (name, printed) => {
    project.run(process.execPath, [
      COMPILER,
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--types',
      'node',
      '--ignoreConfig',
      name,
    ]);
    expect(project.run(process.execPath, [name.replace('.ts', '.js')])).toMatch(printed);
  });
});
