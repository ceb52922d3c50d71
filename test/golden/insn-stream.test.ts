import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { guestFile, noGuests, scratchFolder } from '../guests/command-line.ts';
import { compareStreams, type Explanation, showComparison, type StreamComparison } from '../oracle/insn-stream.ts';
import { steppedMachine } from '../oracle/stepped-machine.ts';
import { Interned } from '../oracle/streams/align.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { unpack } from '../oracle/streams/packed.ts';
import { ourInstructions } from '../oracle/streams/scribe.ts';

/** Streams of every instruction that real KVM ran, made by pack.ts. */
const RECORDED = join(dirname(fileURLToPath(import.meta.url)), 'recorded');
const folder = scratchFolder();

/** Where a machine of ours runs the guest of a recording and takes the same path, but for what is explained. */
function besideRecorded(
  name: string,
  args: readonly string[],
  explanations: readonly Explanation[],
  most?: number,
): StreamComparison {
  const table = new Interned();
  const reference = unpack(readFileSync(join(RECORDED, `${name}.stream.br`)), table).subarray(0, most);
  const ours = ourInstructions(steppedMachine(args), table, reference.length + MORE);
  const comparison = compareStreams(reference, ours, table, explanations);
  expect(comparison.first, showComparison(comparison)).toBeUndefined();
  return comparison;
}

/** Instructions beyond the recording's number: our polling loops may turn more often. */
const MORE = 10_000;

const placesOf = ({ kinds }: StreamComparison): Record<string, number> =>
  Object.fromEntries([...kinds].map(([why, { places }]) => [why, places]));

const INTERRUPT = 'an interrupt';

describe('SeaBIOS', without(noGuests('bios-256k.bin', 'kvmvapic.bin')), () => {
  const scale = 'kvmclock scales 2600 MHz by a right shift; our 2000 MHz need none';
  const threads = 'the host of the recording announced HTT';
  const delay = 'delays of 1 ms were over at the first look: an emulated instruction takes 3 us';

  const explanations = [
    { at: '0:2ff59a0:f7 d9 (prot32)', why: scale },
    { at: '0:2ff5b6d:0f b6 4c 24 4e (prot32)', why: threads },
    { at: '0:eb988:f3 90 (prot32)', why: delay },
  ];
  const firmware = ['-bios', guestFile('bios-256k.bin'), '-option-rom', guestFile('kvmvapic.bin')];
  const debug = ['-chardev', 'null,id=d', '-device', 'isa-debugcon,iobase=0x402,chardev=d'];
  const machine = ['-m', '64', '-nodefaults', ...firmware, ...debug];

  test('takes the path recorded on KVM from the reset vector on, for 300,000 instructions', () => {
    const comparison = besideRecorded('seabios', machine, explanations, 300_000);
    expect(comparison.equal).toBeGreaterThan(299_500);
  });

  test('takes the path recorded on KVM from the reset vector to "No bootable device."', LONG, () => {
    const comparison = besideRecorded('seabios', machine, explanations);
    expect(comparison.equal).toBeGreaterThan(5_643_300);
    expect(placesOf(comparison)).toEqual({ [INTERRUPT]: 1, [scale]: 1, [threads]: 1, [delay]: 4 });
  });
});

const FLATS = process.env['RETROVISOR_KUT'] ?? '';
/** The builds that were recorded. */
const FLAT_SHA256 = {
  setjmp: '84c2ab712032ab0501e36fd519de0434398ee4580db448d747e85a5b36859006',
  realmode: '4f1cdce8bd9c76846378ca1d7d34ff6ac91a796141b78ba1a525a5017cb26015',
} as const;

function isRecordedBuild(name: keyof typeof FLAT_SHA256): boolean {
  const path = join(FLATS, `${name}.flat`);
  return existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') === FLAT_SHA256[name];
}

/** The machine of the recordings; the lines of its environment were as long as these. */
function unitTest(name: string): string[] {
  const environment = join(folder, 'env');
  const kernel = ['VERSION_STRING=6.1.0', 'VERSION=6', 'PATCHLEVEL=1', 'SUBLEVEL=0', 'EXTRAVERSION=0'];
  writeFileSync(environment, [...kernel.map((line) => `KERNEL_${line}`), 'TEST_RUNNERS=y', ''].join('\n'));
  const test = ['-kernel', join(FLATS, `${name}.flat`), '-initrd', environment, '-m', '128', '-nodefaults'];
  const devices = ['-device', 'pc-testdev', '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4'];
  const processor = ['-cpu', 'host,family=6,model=167,stepping=1'];
  return [...test, ...devices, ...processor, '-chardev', 'null,id=s', '-serial', 'chardev:s'];
}

// Only with RETROVISOR_KUT at the very build that was recorded are there such tests: a plain run has nothing to skip.
if (isRecordedBuild('setjmp')) {
  test('setjmp takes the path recorded on KVM from its entry to its exit', () => {
    const path = 'the path in argv[0] has another length';
    const argv = { at: '0:400477:48 83 c0 01 (prot64)', why: path };
    const comparison = besideRecorded('setjmp', unitTest('setjmp'), [argv]);
    expect(comparison.equal).toBeGreaterThan(82_300);
    expect(Object.keys(placesOf(comparison)).filter((why) => why !== path)).toEqual([]);
  });
}

if (isRecordedBuild('realmode')) {
  test('realmode takes the path recorded on KVM, 11.5 million instructions', () => {
    const digits = 'cycles per instruction: the recording has two digits more';
    const tick = "the recording has SeaBIOS' timer handler; a kernel that starts directly has a short one";
    const comparison = besideRecorded('realmode', unitTest('realmode'), [
      { at: 'f0000:fea5:66 68 fc f0 00 00 (real)', why: tick },
      { at: '0:8142:66 89 c8 (real)', why: digits },
      { at: '0:807e:66 47 (real)', why: digits },
    ]);
    expect(comparison.equal).toBeGreaterThan(11_474_700);
    const { [digits]: printed, [tick]: ticks, ...polls } = placesOf(comparison);
    expect(printed).toBe(12);
    expect(ticks).toBe(2);
    expect(Object.keys(polls)).toEqual(['polling at 0:8105:ec (real)']);
  });
}
