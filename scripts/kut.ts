// `npm run kut [-- NAME...]`: kvm-unit-tests a person built (docs/kvm-unit-tests.md), with a table at the end.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const SECONDS_MAX = 600;

/** Sections of unittests.cfg that are expected to pass. */
const EXPECTED = [
  'realmode', 'setjmp', 'syscall', 'idt_test', 'eventinj', 'msr', 'sieve', 'smptest', 'smptest3', 'tsc', 'tsc_adjust',
  'xapic', 'x2apic', 'ioapic', 'vmexit_cpuid', 'vmexit_vmcall', 'vmexit_mov_from_cr8', 'vmexit_mov_to_cr8',
  'vmexit_inl_pmtimer', 'vmexit_ipi', 'vmexit_ipi_halt', 'vmexit_ple_round_robin', 'vmexit_tscdeadline',
  'vmexit_tscdeadline_immed', 'hypercall', 'memory', 'umip', 'smap', 'xsave', 'kvmclock_test', 'hpet_read_test',
  'rmap_chain', 'init', 'tscdeadline_latency',
];

/** One section of unittests.cfg. */
interface UnitTest {
  readonly name: string;
  readonly file: string;
  readonly smp: string;
  readonly append: string | undefined;
  readonly memory: string;
}

function unitTests(cfg: string): UnitTest[] {
  return cfg.split(/^\[/m).slice(1).flatMap((section) => {
    const name = section.slice(0, section.indexOf(']'));
    const keys = new Map([...section.matchAll(/^(\w+)\s*=\s*(.*)$/gm)].map((match) => [match[1], match[2]?.trim()]));
    const extra = keys.get('extra_params') ?? keys.get('qemu_params') ?? '';
    const append = /-append\s+(?:'([^']*)'|"([^"]*)"|(\S+))/.exec(extra);
    const file = keys.get('file');
    if (file === undefined) return [];
    const arguments_ = keys.get('test_args')?.replace(/^["']|["']$/g, '');
    return [{
      name,
      file,
      smp: /^\d+$/.test(keys.get('smp') ?? '') ? (keys.get('smp') as string) : '1',
      append: append?.[1] ?? append?.[2] ?? append?.[3] ?? arguments_,
      memory: /-m\s+(\d+)/.exec(extra)?.[1] ?? '128',
    }];
  });
}

function runOne(folder: string, test: UnitTest): { readonly status: number; readonly words: string } {
  const machine = '-nodefaults -device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=0x4 -display none';
  const args = ['run', ...machine.split(' '), '-serial', 'stdio', '-m', test.memory, '-smp', test.smp, '--no-trace'];
  args.push('-kernel', join(folder, test.file), ...(test.append === undefined ? [] : ['-append', test.append]));
  const ran = spawnSync(process.execPath, [join(ROOT, 'bin/retrovisor.js'), ...args], {
    encoding: 'utf8',
    input: '',
    timeout: SECONDS_MAX * 1000,
    maxBuffer: 1 << 28,
  });
  const summary = /^SUMMARY: .*$/m.exec(ran.stdout ?? '')?.[0] ?? ran.stderr.trim().split('\n').pop() ?? '';
  return { status: ran.status ?? -1, words: ran.error === undefined ? summary : `no end within ${SECONDS_MAX} s` };
}

const VERDICTS: Readonly<Record<number, string>> = { 1: 'PASS', 3: 'FAIL', 77: 'SKIP', 127: 'ABORT' };

function main(): number {
  const folder = process.env['RETROVISOR_KUT'] ?? '';
  const cfg = join(folder, 'unittests.cfg');
  if (folder === '' || !existsSync(cfg)) {
    console.error('Set RETROVISOR_KUT to the x86 folder of a built kvm-unit-tests: see docs/kvm-unit-tests.md.');
    return 2;
  }
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : EXPECTED;
  const tests = unitTests(readFileSync(cfg, 'utf8'));
  let failed = 0;
  let passed = 0;
  for (const name of wanted) {
    const test = tests.find((candidate) => candidate.name === name);
    if (test === undefined || !existsSync(join(folder, test.file))) {
      console.log(`${name.padEnd(26)} absent`);
      continue;
    }
    const { status, words } = runOne(folder, test);
    const verdict = VERDICTS[status] ?? `status ${status}`;
    if (status === 1) passed += 1;
    else if (status !== 77) failed += 1;
    console.log(`${name.padEnd(26)} ${verdict.padEnd(10)} ${words}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = main();
