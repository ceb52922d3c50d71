import { describe, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/index.ts';
import { instantiate } from '../../src/host/wasm.ts';
import { takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { countingMachine } from '../machine/counting.ts';
import { PRODUCT, type SourceFile } from './sources.ts';

/** What no fold gives and a replay does again: bytes of the processor's, by name. To be shortened, never to grow. */
const REDONE = ['host memory', 'EPT pages', 'register blocks', 'page-table pages'];

/**
 * What else may change in the folders below `replay`, outside the state: derived from it, or gone when a run, a call or
 * an assembly is over. By file; `*` marks a container that is filled. To be shortened, never to grow.
 */
const BESIDE_THE_STATE: Readonly<Record<string, string>> = {
  'kvm/context.ts KvmContext.view': 'of one call: the processor as its origin sees it',
  'kvm/vmcs/controls.ts IO_BITMAP*': 'constant: no port is let through',
  'machine/machine.ts PoweredOn.cutAt': 'of one step: where the caller wants to stop',
  'machine/machine.ts PoweredOn.kernelDeadline': 'derived from the timers',
  'machine/machine.ts PoweredOn.userDeadline': 'derived from timers, drives, packets and threads',
  'machine/machine.ts PoweredOn.hasBroken': 'of one step: a debugger stopped it',
  'machine/machine.ts PoweredOn.ticks': 'the processor’s count of instructions, in each fact as its tick',
  'machine/processor.ts Surroundings.ticks': 'the processor’s count of instructions, in each fact as its tick',
  'machine/context.ts MachineContext.kernelDeadline': 'derived from the timers',
  'machine/context.ts MachineContext.userDeadline': 'derived from timers, drives, packets and threads',
  'machine/context.ts MachineContext.cutAt': 'of one step: where the caller wants to stop',
  'machine/processor.ts Surroundings.hasBroken': 'of one step: a debugger stopped it',
  'machine/processor.ts GuestView.views': 'of one call: registers as its origin sees them',
  'machine/processor.ts Known.needsControls': 'derived from the VMCS: the processor is yet to be told',
  'machine/processor.ts Known.position': 'derived from the processor’s last answer',
  'machine/processor.ts MachineProcessor.known*': 'holds the two above',
  'machine/processor.ts MachineProcessor.gathering': 'of one transaction: what it has read',
  'machine/processor.ts MachineProcessor.running': 'of one run: whose it is',
  'memory/pages.ts Followed.copies': 'derived from the bytes',
  'memory/pages.ts Followed.hashes': 'derived from the bytes',
  'memory/pages.ts Followed.staleCopies*': 'derived from the bytes',
  'memory/pages.ts Followed.staleHashes*': 'derived from the bytes',
  'memory/pages.ts Followed.sumA': 'derived from the bytes',
  'memory/pages.ts Followed.sumB': 'derived from the bytes',
  'memory/images.ts ZERO_PAGE*': 'constant: never written',
  'memory/payloads.ts Payloads.kept*': 'from outside: inputs and states name it by its SHA-256',
  'memory/sparse.ts FollowedSparse.hashes*': 'derived from the pages',
  'memory/sparse.ts FollowedSparse.last': 'derived from the pages',
  'memory/sparse.ts FollowedSparse.staleCopies*': 'derived from the pages',
  'memory/sparse.ts FollowedSparse.staleHashes*': 'derived from the pages',
  'memory/sparse.ts Hashes.a': 'derived from the pages',
  'memory/sparse.ts Hashes.b': 'derived from the pages',
  'memory/sparse.ts SparseBytes.length': 'as the state of its drive has it: put back with that',
  'memory/sparse.ts SparseBytes.shown': 'as the state of its drive has it: put back with that',
  'memory/sparse.ts SparseBytes.mostPages': 'how far images of the pages below reach',
  'memory/sparse.ts SparseBytes.dirty*': 'what of the pages below has not been told',
  'memory/sparse.ts SparseBytes.unshared*': 'derived: which of the pages below nobody else was given',
  'memory/sparse.ts SparseBytes.own*': 'bulk bytes, as guest memory: in every checkpoint and digest of it',
  'reducers/slices.ts SliceDigests.stale': 'derived from the facts: whose digest is to be made anew',
  'vmm/board/device-call.ts DeviceCall.machine': 'of one call: what it follows from',
  'vmm/board/device-call.ts DeviceCall.pending': 'of one call: an access that is not committed yet',
  'devices/e1000/registers.ts known': 'constant: made when first asked for',
  'devices/fw-cfg/decide.ts EMPTY*': 'constant: never written',
  'vmm/fw-cfg/items.ts SYSTEM_STATES*': 'constant: never written',
  'vmm/board/machine.ts Board.delivering*': 'of one call: to whom packets are being handed',
  'vmm/board/machine.ts Board.ioView': 'derived from the devices’ state',
  'vmm/board/machine.ts Board.memoryView': 'derived from the devices’ state',
  'vmm/board/machine.ts Machine.ownMemory': 'of one call: guest memory as its origin sees it',
  'vmm/models.ts MADE*': 'derived from what a PCI function was set up by',
  'vmm/pc/parts.ts NO_ITEMS*': 'constant: never filled',
  'vmm/board/machine.ts Machine.system': 'of one call: the system calls in its name',
};

/** Where state lives, and who decides. */
const WHERE = /^src\/(events|memory|kvm|devices|net|vmm|reducers|machine)\//;
/** Arguments of ioctls, and parts of a register file that belongs to the processor: they hold nothing by themselves. */
const SHAPES = /^src\/kvm\/(ioctl\/(ioctls|structs|vm)|vcpu\/(cpuid|injection))\.ts$/;

const OPENS = /^(?:export )?(?:abstract )?(class|interface) (\w+)/;
const FIELD = /^ {2}(?:private |protected |public |static )*(readonly )?(\w+)[?!]?(?:: ([^=]+?))?(?: = (.*))?;$/;
const MODULE = /^(?:export )?(let|const) (\w+)[^=]*(?:= (.*))?;$/;
const FILLED = /^(\[\]|new (Map|Set|WeakMap|\w*Array)(<[^(]*>)?\((?!0\)).*)$/;

/** What may change of one line, by name; undefined: nothing. */
function changeable(line: string, within: string | undefined): string | undefined {
  if (within === undefined) {
    const [, how, name, value = ''] = MODULE.exec(line) ?? [];
    if (how === 'let') return name;
    return how === 'const' && FILLED.test(value) && !line.includes('eadonly') ? `${name}*` : undefined;
  }
  const [, fixed, name, type = '', value = ''] = FIELD.exec(line) ?? [];
  if (name === undefined || type.includes('=>')) return undefined;
  if (fixed === undefined) return `${within}.${name}`;
  return FILLED.test(value) || /^(Map|Set)</.test(type) ? `${within}.${name}*` : undefined;
}

function changeableIn({ path, text }: SourceFile): string[] {
  let within: string | undefined;
  return text.split('\n').flatMap((line) => {
    const opened = OPENS.exec(line);
    if (opened !== null) within = opened[2];
    if (line === '}') within = undefined;
    const found = changeable(line, within);
    return found === undefined ? [] : [`${path.slice('src/'.length)} ${found}`];
  });
}

describe('what a fold does not give', () => {
  test('is the processor’s memory and registers, and a checkpoint holds no more', () => {
    const engine = createEngine({
      hostBytes: 1 << 16,
      instantiate,
      hostTsc: () => 0n,
      tscPerTick: 16,
      random: () => 0n,
      onTableWrite: () => undefined,
    });
    const redone = engine.regions.map(({ name }) => name);
    console.log(`redone: ${redone.join(', ')}`);
    expect(redone).toEqual(REDONE);
    const kept = takeCheckpoint(countingMachine().machine);
    expect(Object.keys(kept).sort()).toEqual(['pages', 'seq', 'state', 'tick']);
    expect(kept.pages.length).toBeLessThanOrEqual(REDONE.length);
  });

  test('is kept nowhere else', () => {
    const files = PRODUCT.filter(({ path }) => WHERE.test(path) && !SHAPES.test(path));
    const found = files.flatMap(changeableIn);
    console.log(found.map((name) => `${name}: ${BESIDE_THE_STATE[name]}`).join('\n'));
    expect(found.sort()).toEqual(Object.keys(BESIDE_THE_STATE).sort());
  });

  test('is found where it is planted', () => {
    const planted = [
      'export class Decider {',
      '  private served = 0;',
      '  readonly waiting: number[] = [];',
      '  readonly name = 1;',
      '  ask(): void {}',
      '}',
      'let last = 0;',
      'const seen = new Map<string, number>();',
      'const NAMES: readonly string[] = [];',
    ];
    expect(changeableIn({ path: 'src/kvm/decider.ts', text: planted.join('\n') })).toEqual([
      'kvm/decider.ts Decider.served',
      'kvm/decider.ts Decider.waiting*',
      'kvm/decider.ts last',
      'kvm/decider.ts seen*',
    ]);
  });
});
