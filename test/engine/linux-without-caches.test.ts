import seedrandom from 'seedrandom';
import { describe, expect, test } from 'vitest';
import { digestSlices } from '../../src/reducers/slices.ts';
import { guestFile, noGuests } from '../guests/command-line.ts';
import { firstOf, LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { type DroppableMachine, droppableMachine } from './machines.ts';

/** How far to run, at how many ticks to look at both machines, and how often to drop: 10 to the power of it ticks. */
interface Extent {
  readonly ticks: number;
  readonly lookEvery: number;
  readonly pieces: readonly [number, number];
}

/** Far enough for the kernel to have built its page tables. */
const LINUX: Extent = { ticks: 165_000_000, lookEvery: 5_000_000, pieces: [3, 6.5] };
/** Our own guest ends before. */
const TOUR: Extent = { ticks: 400_000_000, lookEvery: 50_000, pieces: [0, 4] };
const APPEND = 'console=ttyS0 panic=-1 cryptomgr.notests=1';

/** Registers of every processor, the digest of all memory and those of the plain state. */
function stateOf({ machine }: DroppableMachine): string {
  const vcpus = machine.state.kvm.vcpus.map((_, vcpu) => {
    const r = machine.engine.registers(vcpu);
    const general = Array.from({ length: 16 }, (_each, index) => r.gpr(index));
    return [...general, r.rip, r.rflags, r.cr0, r.cr2, r.cr3, r.cr4, r.efer].join(' ');
  });
  return [...vcpus, machine.pages.digest(), digestSlices(machine.state).join(' ')].join('\n');
}

/** Run to a tick in pieces that chance cuts, without caches from each piece to the next. */
function advanceDropping(dropped: DroppableMachine, tick: number, pieceOf: () => number): ReturnType<typeof advance> {
  for (;;) {
    const next = dropped.machine.ticks + pieceOf();
    const reason = dropped.machine.advance({ tick: Math.min(tick, next) });
    dropped.dropCaches();
    if (reason.why !== 'until' || next >= tick) return reason;
  }
}

const advance = ({ machine }: DroppableMachine, tick: number) => machine.advance({ tick });

/** The same run twice, once losing its caches all the time. */
function sideBySide(
  options: readonly string[],
  seed: string,
  { ticks, lookEvery, pieces: [least, most] }: Extent,
): { plain: DroppableMachine; fills: number } {
  const chance = seedrandom.alea(seed);
  const pieceOf = (): number => Math.ceil(10 ** (least + (most - least) * chance()));
  const [plain, dropped] = [droppableMachine(options, seed), droppableMachine(options, seed)];
  for (let tick = lookEvery; tick <= ticks; tick += lookEvery) {
    const reason = advance(plain, tick);
    expect(advanceDropping(dropped, tick, pieceOf)).toEqual(reason);
    expect(stateOf(dropped), `state at tick ${tick}`).toBe(stateOf(plain));
    expect(dropped.told(), `events up to tick ${tick}`).toBe(plain.told());
    if (reason.why !== 'until') break;
  }
  const [few, many] = [plain.cacheFills(), dropped.cacheFills()];
  expect(many.codePages).toBeGreaterThan(few.codePages);
  return { plain, fills: many.translations - few.translations };
}

describe('a machine that loses its caches at any moment tells the same, with its table writes', () => {
  test.each(firstOf(1, [4, 2, 1]))('our own guest on %i processors', (cpus) => {
    const options = ['-smp', `${cpus}`, '--events', 'guest-pt'];
    const { plain, fills } = sideBySide(options, `tour ${cpus}`, TOUR);
    expect(plain.machine.state.schedule.ended).toBeDefined();
    expect(plain.tableWrites()).toBeGreaterThan(0);
    expect(fills).toBeGreaterThan(1000);
  });

  test("the beginning of Debian's kernel", { ...without(noGuests('vmlinuz', 'initramfs.gz')), ...LONG }, () => {
    const images = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz')];
    const options = [...images, '-m', '256', '-smp', '4', '-append', APPEND, '--events', 'guest-pt'];
    const { plain, fills } = sideBySide(options, 'linux', LINUX);
    expect(plain.tableWrites()).toBeGreaterThan(500);
    expect(fills).toBeGreaterThan(5000);
  });
});
