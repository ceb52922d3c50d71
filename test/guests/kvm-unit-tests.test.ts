import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const FLATS = process.env['RETROVISOR_KUT'] ?? '';
const has = (name: string): boolean => FLATS !== '' && existsSync(join(FLATS, `${name}.flat`));
const ALL_PASSED = 1;

/** Name, processors, arguments: every run reports success on real hardware. */
const RUNS: readonly (readonly [string, number, string])[] = [
  ['realmode', 1, ''],
  ['setjmp', 1, ''],
  ['syscall', 1, ''],
  ['idt_test', 1, ''],
  ['eventinj', 1, ''],
  ['msr', 1, ''],
  ['smptest', 1, ''],
  ['smptest', 2, ''],
  ['smptest', 3, ''],
  ['smptest', 4, ''],
  ['tsc', 1, ''],
  ['tsc_adjust', 1, ''],
  ['apic', 2, ''],
  ['ioapic', 1, ''],
  ['hypercall', 1, ''],
  ['memory', 1, ''],
  ['umip', 1, ''],
  ['smap', 1, ''],
  ['xsave', 1, ''],
  ['kvmclock_test', 1, ''],
  ['hpet_read_test', 1, ''],
  ['rmap_chain', 1, ''],
  ['init', 1, ''],
  ['tscdeadline_latency', 1, ''],
  ['vmexit', 1, 'cpuid'],
  ['vmexit', 1, 'vmcall'],
  ['vmexit', 1, 'mov_from_cr8'],
  ['vmexit', 1, 'mov_to_cr8'],
  ['vmexit', 1, 'inl_from_pmtimer'],
  ['vmexit', 2, 'ipi'],
  ['vmexit', 2, 'ipi_halt'],
  ['vmexit', 1, 'tscdeadline'],
];

describe.skipIf(!has('setjmp'))('kvm-unit-tests', () => {
  test.each(RUNS.filter(([name]) => has(name)))(
    '%s on %d processors (%s) reports success and replays',
    (name, cpus, append) => {
      const trace = join(folder, `${name}-${cpus}-${append}.trace`);
      const machine =
        '-nodefaults -device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=0x4 -serial stdio'.split(' ');
      const guest = [
        '-smp',
        String(cpus),
        '-kernel',
        join(FLATS, `${name}.flat`),
        ...(append === '' ? [] : ['-append', append]),
      ];
      const { status, out } = retrovisor(['run', ...machine, ...guest, '--trace', trace]);
      expect(out).not.toMatch(/^FAIL/m);
      expect(status).toBe(ALL_PASSED);
      expect(retrovisor(['replay', trace]).status).toBe(0);
    },
  );
});
