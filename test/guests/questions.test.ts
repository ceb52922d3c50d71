import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../src/base/work.ts';
import { backtrace } from '../../src/debugger/symbols/backtrace.ts';
import { linearRip, physicalOf, readLinear, readPhysical, registersOf } from '../../src/machine/guest-view.ts';
import { kernelSymbols } from '../../src/debugger/symbols/kallsyms.ts';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import { evaluate } from '../../src/debugger/look/vantage.ts';
import { wordsIn } from '../../src/debugger/stops/stop-words.ts';
import { type DebugSession, openDebugSession } from '../../src/debugger/session.ts';
import { findNext, findPrevious } from '../../src/debugger/stops/stop-search.ts';
import { parseBreak, type Stop } from '../../src/debugger/stops/stops.ts';
import { type NamedAddress, symbolTable } from '../../src/debugger/symbols/symbols.ts';
import { disassemble } from '../../src/engine/code/disassemble.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { NODE } from '../../src/host/node.ts';
import { PLAIN_LANGUAGE, tool, without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';
import { type QemuMemory, qemuWith } from './qemu-translation.ts';

const missing = noGuests('vmlinuz', 'initramfs.gz');
const folder = scratchFolder();
const MEGABYTES = 128;
const LONGEST_INSTRUCTION = 15;
let session: DebugSession;
let symbols: readonly NamedAddress[];
let printed = '';

/** What the guest's shell is asked: its own symbols, and a crash with the kernel's own backtrace. */
const TYPED = [
  "grep -v '\\\\[' /proc/kallsyms | awk '{print $1,$3}' | md5sum",
  "grep -v '\\\\[' /proc/kallsyms | wc -l",
  'echo c > /proc/sysrq-trigger',
];

const ask = (line: string): string => answerPrompt(session, line);

const breakAt = (words: string): Stop => parseBreak(words, wordsIn(session));

beforeAll(() => {
  const trace = join(folder, 'questions.trace');
  const append = 'console=ttyS0 panic=-1 cryptomgr.notests=1 sysrq_always_enabled';
  const images = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz'), '-append', append];
  const typed = TYPED.flatMap((line) => ['--type', `after:/ # :${line}\\n`]);
  const machine = ['-m', String(MEGABYTES), '-no-reboot', '-display', 'none', '-nodefaults', '-serial', 'stdio'];
  const { out } = retrovisor(['run', ...images, ...machine, ...typed, '--trace', trace]);
  printed = out.replaceAll('\r', '');
  session = openDebugSession(openTimeline(openRecordedRun(NODE, trace, {})));
  session.at('sim:serial_received');
  symbols = finish(kernelSymbols(session.view));
  session.symbols = symbolTable(symbols);
});

describe('a recorded Debian kernel', without(missing), () => {
  test('has exactly the symbols its own /proc/kallsyms prints', () => {
    const text = symbols.map(({ name, address }) => `${address.toString(16).padStart(16, '0')} ${name}\n`).join('');
    expect(printed).toContain(`\n${symbols.length}\n`);
    expect(/^([0-9a-f]{32}) {2}-$/m.exec(printed)?.[1]).toBe(createHash('md5').update(text).digest('hex'));
  });

  test('is disassembled as objdump does: every length and mnemonic of 4 MiB', without(tool('objdump')), () => {
    const start = evaluate(session, '_stext');
    const bytes = readLinear(session.view, 0, start, 4 << 20);
    const file = join(folder, 'text.bin');
    writeFileSync(file, bytes);
    const flat = ['-D', '-w', '-b', 'binary', '-m', 'i386:x86-64', '-M', 'intel'];
    const placed = [`--adjust-vma=0x${start.toString(16)}`, file];
    const options = { encoding: 'utf8', maxBuffer: 1 << 30, env: PLAIN_LANGUAGE } as const;
    const dump = spawnSync('objdump', [...flat, ...placed], options).stdout;
    const theirs = [...dump.matchAll(/^([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t(.*)$/gm)].map(
      ([, address, digits = '', text = '']) => `${address} ${digits.trim().split(' ').length} ${mnemonic(text)}`,
    );
    const ours = disassemble(bytes, 64, start, Number.POSITIVE_INFINITY).map(
      ({ rip, bytes: code, text }) => `${rip.toString(16)} ${code.length} ${mnemonic(text)}`,
    );
    // The last instruction is cut.
    const whole = ours.slice(0, -LONGEST_INSTRUCTION);
    expect(whole.length).toBeGreaterThan(1_000_000);
    const other = whole.filter((line, at) => line !== theirs[at]);
    expect(other).toEqual([]);
  });

  test('translates addresses as QEMU does with the same memory', without(tool('qemu-system-x86_64')), async () => {
    const marks: readonly [string, () => void][] = [
      ['the decompressor', () => session.at('2%')],
      ['the kernel', () => session.at('60%')],
      ['a program', () => atUserMode()],
    ];
    for (const [at, [, go]] of marks.entries()) {
      go();
      const addresses = addressesToAsk();
      const qemu = await qemuHere(join(folder, `memory${at}.bin`), 23_460 + at);
      try {
        const different: string[] = [];
        let mapped = 0;
        for (const address of addresses) {
          const ours = physicalOf(session.view, session.vcpu, address);
          const theirs = await qemu.translate(address);
          if (ours !== undefined) mapped += 1;
          if ((ours === undefined ? undefined : BigInt(ours)) === theirs) continue;
          different.push(`0x${address.toString(16)}: ${ours?.toString(16)}, QEMU ${theirs?.toString(16)}`);
        }
        expect(different).toEqual([]);
        expect(mapped).toBeGreaterThan(at === 0 ? 200 : 2000);
      } finally {
        qemu.close();
      }
    }
  });

  test('is unwound as its own panic prints it', () => {
    session.at('end');
    expect(finish(findPrevious(session, [breakAt('show_stack')]))?.stop.said).toBe('break show_stack');
    expect(kernelTrace()).toContainEqual(expect.stringMatching(/^panic\+0x/));
    expect(framesHere().slice(1)).toEqual(kernelTrace());
  });

  test('is unwound through interrupts to where a task began', () => {
    session.at('sim:serial_received');
    const met = finish(findPrevious(session, [breakAt('tick_sched_timer'), breakAt('tick_periodic')]));
    expect(met).toBeDefined();
    const frames = backtrace(session.view, session.vcpu, session.symbols);
    expect(frames.some(({ isInterrupted }) => isInterrupted === true)).toBe(true);
    expect(framesHere().at(-1)).toMatch(/^(secondary_startup|ret_from_fork|entry_|asm_)/);
  });

  test('is stopped in by everything there is to stop at', () => {
    session.at('sim:serial_received');
    for (const stop of ['do_syscall_64', `phys:${physicalOf(session.view, 0, evaluate(session, 'do_syscall_64'))}`]) {
      ask('delete');
      ask(`break ${stop} if u64[$rdi + 0x78] == 1`);
      // The first argument is the saved registers; write(2) is number 1.
      expect(ask('continue')).toContain('A breakpoint');
      expect(evaluate(session, '$rip')).toBe(evaluate(session, 'do_syscall_64'));
      expect(evaluate(session, 'u64[$rdi + 0x78]')).toBe(1n);
    }
    for (const stop of ['msr 0x6e0 write', 'exit MSR_WRITE', 'port 0x3f8 out if val == 0x0a', 'event kvm_inj_virq']) {
      ask('delete');
      ask(`break ${stop}`);
      expect(ask('rcontinue')).toContain(`break ${stop}: `);
    }
    ask('delete');
    ask('watch $cr3');
    const before = evaluate(session, '$cr3');
    expect(ask('rcontinue')).toContain('Before a hit of watch $cr3');
    expect(ask('disas $pc 1')).toContain('mov cr3');
    expect(evaluate(session, '$cr3')).not.toBe(before);
    ask('delete');
    ask('watch jiffies/8');
    expect(ask('continue')).toContain('After a hit of watch jiffies/8');
    const { tick } = session.now;
    expect(finish(findNext(session, session.stops))).toBeDefined();
    expect(session.now.tick).toBeGreaterThan(tick);
    ask('delete');
  });

  test('tells of a program who wrote its code, and when it was mapped', () => {
    atUserMode();
    expect(ask('why $pc+0/8')).toMatch(/by vcpu0: .* <\w+.*>: [\s\S]*mapped there only later:\n.*<\w*set_pte/);
  });

  test.each([
    ['vmcs', /GUEST_CR3 +0x[0-9a-f]+/],
    ['ept', /^root 0x[0-9a-f]+\n0x0-/],
    ['lapic', /LVTT .*tsc-deadline/],
    ['pic', /pin 4 .*vec=\d+ .*edge .*Fixed/],
    ['disas do_syscall_64 3', /<do_syscall_64>: /],
    ['diff 50% +1', /\d+ fields and \d+ pages/],
    ['why jiffies/8', /by vcpu0: 0x[0-9a-f]+ <\w+\+0x[0-9a-f]+>: .*add/],
    ['why $cr3', /mov cr3/],
    ['why kvm.vcpus.0.mpState', /by event #\d+ tick \d+ /],
    // The decompressor's work: "Linux ve".
    ['history linux_banner/8', /: 3 writes\n[\s\S]*-> 0x65762078756e694c {2}vcpu0$/],
  ])('answers %s', (line, expected) => {
    session.at('sim:serial_received');
    expect(ask(line)).toMatch(expected);
  });
});

const PREFIXES = /^((?:repn?[ez]?|repnz|lock|data16|[c-gs]s|notrack|bnd|rex\.?\w*|addr32|xacquire|xrelease) )+/;

/** What the two call the same: string instructions by their size, MOV with a 64-bit constant, WAIT. */
function mnemonic(text: string): string {
  const [name = ''] = text.trim().replace(PREFIXES, '').split(/[ \t]/);
  const plain = name.replace(/^(stos|movs|cmps|lods|scas|ins|outs)[bwdq]$/, '$1');
  return plain === 'movabs' ? 'mov' : plain === 'fwait' ? 'wait' : plain;
}

/** Into the middle of a program of the guest. */
function atUserMode(): void {
  session.at('sim:serial_received');
  finish(findNext(session, [breakAt('do_syscall_64')]));
  const rip = evaluate(session, 'u64[$rdi + 0x80]');
  finish(findNext(session, [breakAt(`0x${rip.toString(16)}`)]));
  expect(evaluate(session, '$cpl')).toBe(3n);
}

/** Addresses of every kind: code, data, per-CPU areas, stacks, the direct map, and what is not mapped. */
function addressesToAsk(): bigint[] {
  const registers = registersOf(session.view, session.vcpu);
  const isLong = (registers.efer & 0x400n) !== 0n;
  const near = [linearRip(session.view, session.vcpu), registers.gpr(4), registers.gpr(5), registers.idtr.base];
  const around = near.flatMap((base) => Array.from({ length: 64 }, (_, at) => base + BigInt(at - 32) * 4096n));
  const low = Array.from({ length: 512 }, (_, at) => BigInt(at) * 0x41_000n);
  if (!isLong) return [...around, ...low].filter((address) => address >= 0n && address < 1n << 32n);
  const named = symbols.filter((_, at) => at % 40 === 0).map(({ address }) => address);
  const direct = session.symbols.addressOf('page_offset_base');
  const base = direct === undefined ? 0n : evaluateOr(`u64[${direct}]`, 0n);
  const mapped = Array.from({ length: 1024 }, (_, at) => base + BigInt(at) * 0x2_1000n + 8n);
  const canonical = (address: bigint): bigint => BigInt.asUintN(64, BigInt.asIntN(48, address));
  return [...around, ...low, ...named, ...mapped].map(canonical);
}

function evaluateOr(text: string, otherwise: bigint): bigint {
  try {
    return evaluate(session, text);
  } catch {
    return otherwise;
  }
}

async function qemuHere(file: string, port: number): Promise<QemuMemory> {
  const memory = new Uint8Array(MEGABYTES << 20);
  for (const { baseGfn, npages } of session.view.machine.state.kvm.vm?.slots ?? []) {
    const at = baseGfn * 4096;
    if (at < memory.length) memory.set(readPhysical(session.view, at, Math.min(npages * 4096, memory.length - at)), at);
  }
  writeFileSync(file, memory);
  const { cr0, cr3, cr4, efer } = registersOf(session.view, session.vcpu);
  return qemuWith(file, MEGABYTES, port, { cr0, cr3, cr4, efer });
}

/** `name+0x12` of every frame but the guesses, as the kernel prints them. */
function framesHere(): string[] {
  return backtrace(session.view, session.vcpu, session.symbols).map(({ address }) => {
    const name = session.symbols.nameOf(address) ?? '';
    return name.includes('+') ? name : `${name}+0x0`;
  });
}

/** The frames of the last Call Trace the kernel printed, without those it marks as unreliable. */
function kernelTrace(): string[] {
  const text = printed.slice(printed.lastIndexOf('Call Trace:'));
  const lines = text.slice(0, text.search(/RIP: 0033|Kernel Offset/)).split('\n');
  return lines.flatMap((line) => /^\[ *\d+\.\d+\] {2}(\w[\w.]*\+0x[0-9a-f]+)\/0x/.exec(line)?.[1] ?? []);
}
