import seedrandom from 'seedrandom';
import { expect, test } from 'vitest';
import {
  AT,
  engineWith,
  enterLongMode,
  HLT,
  LINEAR,
  NO_EVENT,
  putGate,
  putTables,
  registersOf,
  SLOT_BYTES,
} from './long-mode.ts';

/** A loop with an exception, random numbers, a repeated store and a stack that is the end of the page table. */
const PROGRAM = [
  0x90, // nop
  0x90, // nop
  0x0f,
  0x0b, // ud2
  0x48,
  0x0f,
  0xc7,
  0xf0, // rdrand rax
  0xbf,
  0x00,
  0x50,
  0x00,
  0x00, // mov edi,0x5000
  0x4c,
  0x01,
  0xff, // add rdi,r15
  0xb9,
  0x14,
  0x00,
  0x00,
  0x00, // mov ecx,0x14
  0xf3,
  0xaa, // rep stosb
  0x48,
  0x0f,
  0xc7,
  0xfa, // rdseed rdx
  0x52, // push rdx
  0x5a, // pop rdx
  0xff,
  0xcb, // dec ebx
  0x75,
  0xdf, // jnz the beginning
  0xf4, // hlt
  0x48,
  0x83,
  0x04,
  0x24,
  0x02, // handler of #UD: add qword [rsp],2
  0x48,
  0xcf, // iretq
  0x48,
  0xcf, // handler of the interrupt: iretq
];
const UD_HANDLER = 0x22;
const INTERRUPT_HANDLER = 0x29;
const UD = 6;
const VECTOR = 32;
const ROUNDS = 30;
/** Ticks at which an interrupt is injected on VM entry. */
const INTERRUPTS = [7, 100, 101, 333, 600, 777];
const MOST_TICKS = 100_000;

/** All the engine told, with the tick since the beginning, and where it ended. Runs are cut where `next` says. */
function told(next: () => number): { facts: string[]; ticks: number; registers: readonly bigint[] } {
  const facts: string[] = [];
  let ticks = 0;
  const engine = engineWith({
    hostBytes: SLOT_BYTES,
    random(before) {
      facts.push(`random at ${ticks + before}`);
      return BigInt(facts.length);
    },
    onTableWrite: ({ gpa, old, new: now }, _, after) => facts.push(`write ${gpa} ${old} ${now} at ${ticks + after}`),
  });
  engine.addVcpu();
  putTables(engine, 0);
  putGate(engine, 0, UD, AT.code + UD_HANDLER);
  putGate(engine, 0, VECTOR, AT.code + INTERRUPT_HANDLER);
  enterLongMode(engine, 0, PROGRAM);
  const r = engine.registers(0);
  r.setGpr(3, BigInt(ROUNDS));
  r.setGpr(4, LINEAR + BigInt(AT.pt + 4096));
  r.setGpr(15, LINEAR);
  for (const place of [...INTERRUPTS, MOST_TICKS]) {
    let inject = NO_EVENT;
    if (ticks > 0) inject = { ...NO_EVENT, info: (0x80000000 | VECTOR) >>> 0 };
    while (ticks < place) {
      const stop = engine.run(0, Math.min(place - ticks, next()), inject);
      inject = NO_EVENT;
      ticks += stop.ticks;
      if (stop.why !== 'exit') continue;
      expect(stop.exit.reason).toBe(HLT);
      return { facts, ticks, registers: registersOf(engine) };
    }
  }
  expect.unreachable('the program comes to its HLT');
}

const whole = told(() => MOST_TICKS);

test('random numbers and table writes have the ticks of their instructions', () => {
  expect(whole.facts.filter((fact) => fact.startsWith('random')).slice(0, 2)).toEqual([
    // Two NOPs, the delivery of #UD, its handler's two instructions.
    'random at 5',
    // RDRAND, three instructions, 20 stores, the IRET of the first interrupt.
    'random at 30',
  ]);
  expect(whole.facts.filter((fact) => fact.includes('write')).at(0)).toMatch(/ at 2$/);
  expect(whole.facts.length).toBeGreaterThan(ROUNDS * 7);
});

test.each(['1', '2', '3', '4', '5', '6'])('they are the same wherever runs are cut (seed %s)', (seed) => {
  const random = seedrandom.alea(seed);
  expect(told(() => 1 + Math.floor(random() * 40))).toEqual(whole);
});

test('and when every run is one tick', () => {
  expect(told(() => 1)).toEqual(whole);
});
