import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Aside, without } from '../stepping-aside.ts';
import { retrovisor, scratchFolder } from './command-line.ts';
import { expectFolds, expectReruns } from './trace-alone.ts';

/** What docs/kvm-unit-tests.md tells to build; the summaries are those of the version named there. */
const FLATS = process.env['RETROVISOR_KUT'] ?? '';
/** The same, built with --arch=i386: two tests are only for it. */
const FLATS_I386 = process.env['RETROVISOR_KUT_I386'] ?? '';
/** What is missing where nobody built them. */
const unbuilt = (variable: string, folder: string, flat: string): Aside | undefined => {
  if (existsSync(join(folder, flat))) return undefined;
  const why = `${variable} names no folder with ${flat}: docs/kvm-unit-tests.md says how to build it.`;
  return { what: 'kvm-unit-tests', why, kind: 'tool' };
};
const ALL_PASSED = 1;

interface Run {
  readonly name: string;
  readonly flat: string;
  readonly cpus?: number;
  /** Further options, as QEMU spells them. */
  readonly options?: string;
  readonly append?: string;
  /** What the guest says of itself at the end; those that say nothing have only their status. */
  readonly summary?: string;
}

/** A sub-test exits again and again until its clock is at 2^30: with longer ticks it gets there after fewer. */
const SLOW_CLOCK = '--ns-per-tick 2000';

const vmexit = (append: string, cpus = 1, options = ''): Run => ({
  name: `vmexit ${append}`,
  flat: 'vmexit',
  cpus,
  append,
  options: `${SLOW_CLOCK} ${options}`.trim(),
});

/** Every run succeeds on a real processor under KVM. */
const RUNS: readonly Run[] = [
  { name: 'realmode', flat: 'realmode' },
  { name: 'setjmp', flat: 'setjmp', summary: '10 tests' },
  { name: 'syscall', flat: 'syscall', options: '-cpu Opteron_G1,vendor=AuthenticAMD', summary: '2 tests' },
  { name: 'idt_test', flat: 'idt_test', summary: '4 tests' },
  { name: 'eventinj', flat: 'eventinj', summary: '13 tests' },
  { name: 'msr', flat: 'msr', options: '-cpu max,vendor=GenuineIntel', summary: '1844 tests' },
  { name: 'msr64', flat: 'msr', options: '-cpu qemu64,vendor=GenuineIntel', summary: '1838 tests' },
  { name: 'sieve', flat: 'sieve' },
  ...[1, 2, 3, 4].map((cpus) => ({ name: `smptest ${cpus}`, flat: 'smptest', cpus, summary: '1 tests' })),
  { name: 'tsc', flat: 'tsc', options: '-cpu max', summary: '6 tests' },
  { name: 'tsc_adjust', flat: 'tsc_adjust', options: '-cpu max', summary: '6 tests' },
  { name: 'x2apic', flat: 'apic', cpus: 2, options: '-cpu qemu64,+x2apic,+tsc-deadline', summary: '56 tests' },
  {
    name: 'xapic',
    flat: 'apic',
    cpus: 2,
    options: '-cpu qemu64,-x2apic,+tsc-deadline',
    summary: '45 tests, 1 skipped',
  },
  { name: 'ioapic', flat: 'ioapic', cpus: 4, options: '-cpu qemu64,+x2apic', summary: '30 tests' },
  { name: 'hypercall', flat: 'hypercall', summary: '4 tests' },
  { name: 'memory', flat: 'memory', options: '-cpu max', summary: '7 tests, 1 skipped' },
  { name: 'umip', flat: 'umip', options: '-cpu qemu64,+umip', summary: '21 tests' },
  { name: 'smap', flat: 'smap', options: '-cpu max', summary: '18 tests' },
  { name: 'xsave', flat: 'xsave', options: '-cpu max', summary: '299 tests' },
  {
    name: 'kvmclock_test',
    flat: 'kvmclock_test',
    cpus: 2,
    options: '--wall-clock 1795447059',
    append: '10000000 1795447059',
    summary: '1 tests',
  },
  { name: 'hpet_read_test', flat: 'hpet_read_test', summary: '1 tests' },
  { name: 'rmap_chain', flat: 'rmap_chain' },
  { name: 'init', flat: 'init' },
  { name: 's3', flat: 's3' },
  { name: 'tscdeadline_latency', flat: 'tscdeadline_latency', summary: '1 tests' },
  { name: 'pcid-enabled', flat: 'pcid', options: '-cpu qemu64,+pcid,+invpcid', summary: '2 tests' },
  { name: 'pcid-disabled', flat: 'pcid', options: '-cpu qemu64,-pcid,-invpcid', summary: '2 tests' },
  { name: 'pcid-asymmetric', flat: 'pcid', options: '-cpu qemu64,-pcid,+invpcid', summary: '2 tests' },
  { name: 'debug', flat: 'debug', summary: '25 tests' },
  { name: 'emulator', flat: 'emulator', summary: '151 tests, 1 skipped' },
  { name: 'la57', flat: 'la57', options: '-cpu max', summary: '56 tests, 4 skipped' },
  { name: 'lam', flat: 'lam', options: '-cpu max', summary: '19 tests' },
  { name: 'rdpru', flat: 'rdpru', options: '-cpu max', summary: '1 tests' },
  ...['cpuid', 'vmcall', 'wbinvd', 'invd', 'mov_from_cr8', 'mov_to_cr8', 'inl_from_pmtimer'].map((t) => vmexit(t)),
  ...['inl_from_qemu', 'inl_from_kernel', 'outl_to_kernel', 'mov_dr', 'wr_kernel_gs_base'].map((t) => vmexit(t)),
  ...['', 'x2apic_'].flatMap((mode) =>
    ['sti_nop', 'sti_hlt', 'tpr', 'tpr_sti_nop', 'tpr_sti_hlt'].map((t) => vmexit(`${mode}self_ipi_${t}`)),
  ),
  ...['wr_ibrs_msr', 'wr_ibpb_msr', 'wr_tsc_adjust_msr', 'rd_tsc_adjust_msr'].map((t) => vmexit(t)),
  ...['tscdeadline', 'tscdeadline_immed'].map((t) => vmexit(t, 1, '-cpu qemu64,+x2apic,+tsc-deadline')),
  ...['ipi', 'ipi_halt', 'ple_round_robin', 'toggle_cr0_wp', 'toggle_cr4_pge'].map((t) => vmexit(t, 2)),
  ...['pci-mem', 'pci-io'].map((t) => vmexit(t, 1, '-device pci-testdev')),
];

const RUNS_I386: readonly Run[] = [
  { name: 'taskswitch', flat: 'taskswitch' },
  { name: 'taskswitch2', flat: 'taskswitch2', summary: '13 tests' },
  { name: 'cmpxchg8b', flat: 'cmpxchg8b', summary: '1 tests' },
  { name: 'eventinj of i386', flat: 'eventinj', summary: '15 tests' },
  { name: 'smap of i386', flat: 'smap', options: '-cpu max', summary: '18 tests' },
];

const MACHINE = '-nodefaults -device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=0x4 -serial stdio -m 256';
const words = (text: string): string[] => text.split(' ').filter(Boolean);
const folder = scratchFolder();

async function expectSuccess(flats: string, run: Run): Promise<void> {
  const { name, flat, cpus = 1, options = '', append, summary } = run;
  const trace = join(folder, `${name.replaceAll(' ', '-')}.trace`);
  const guest = ['-smp', String(cpus), '-kernel', join(flats, `${flat}.flat`), '--trace', trace];
  const appended = append === undefined ? [] : ['-append', append];
  const { status, out } = retrovisor(['run', ...words(MACHINE), ...words(options), ...guest, ...appended]);
  expect(out).not.toMatch(/^FAIL/m);
  if (summary !== undefined) expect(out).toMatch(new RegExp(`^SUMMARY: ${summary}\\r?$`, 'm'));
  expect(status).toBe(ALL_PASSED);
  expect(retrovisor(['replay', trace]).status).toBe(0);
  expectFolds(trace);
  await expectReruns(trace);
  rmSync(trace);
}

describe('kvm-unit-tests', without(unbuilt('RETROVISOR_KUT', FLATS, 'setjmp.flat')), () => {
  test.each(RUNS)('$name reports success, replays, folds and reruns', (run) => expectSuccess(FLATS, run));
});

const NO_I386 = unbuilt('RETROVISOR_KUT_I386', FLATS_I386, 'taskswitch2.flat');
describe('kvm-unit-tests for i386', without(NO_I386), () => {
  test.each(RUNS_I386)('$name reports success, replays, folds and reruns', (run) => expectSuccess(FLATS_I386, run));
});
