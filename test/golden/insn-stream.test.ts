import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { guestFile, haveGuests } from '../guests/command-line.ts';
import { compareStreams, type Explanation, showComparison } from '../oracle/insn-stream.ts';
import { steppedMachine } from '../oracle/stepped-machine.ts';
import { Interned } from '../oracle/streams/align.ts';
import { unpack } from '../oracle/streams/packed.ts';
import { ourInstructions } from '../oracle/streams/scribe.ts';

const recorded = (name: string): string => join(dirname(fileURLToPath(import.meta.url)), 'recorded', name);

/** What the machine of the recording had otherwise. */
const OTHER_MACHINE: readonly Explanation[] = [
  { at: '0:2ff59a0:f7 d9 (prot32)', why: 'kvmclock scales 2600 MHz by a right shift; our 2000 MHz need none' },
  { at: '0:2ff5b6d:0f b6 4c 24 4e (prot32)', why: 'the host of the recording announced HTT' },
  {
    at: '0:eb988:f3 90 (prot32)',
    why: 'delays of 1 ms were over at the first look: an emulated instruction takes 3 us',
  },
];

describe.skipIf(!haveGuests('bios-256k.bin', 'kvmvapic.bin') || !existsSync(recorded('seabios.stream.br')))(
  'SeaBIOS, beside every instruction real KVM ran',
  () => {
    test('takes the same path from the reset vector to "No bootable device."', () => {
      const table = new Interned();
      const reference = unpack(readFileSync(recorded('seabios.stream.br')), table);
      const firmware = ['-bios', guestFile('bios-256k.bin'), '-option-rom', guestFile('kvmvapic.bin')];
      const debug = ['-chardev', 'null,id=d', '-device', 'isa-debugcon,iobase=0x402,chardev=d'];
      const stepped = steppedMachine(['-m', '64', '-nodefaults', ...firmware, ...debug]);
      const comparison = compareStreams(reference, ourInstructions(stepped, table, 5_700_000), table, OTHER_MACHINE);
      expect(comparison.first, showComparison(comparison)).toBeUndefined();
      expect(comparison.equal).toBeGreaterThan(5_643_300);
      const kinds = Object.fromEntries([...comparison.kinds].map(([why, { places }]) => [why, places]));
      expect(kinds).toEqual({
        'an interrupt': 1,
        [OTHER_MACHINE[0].why]: 1,
        [OTHER_MACHINE[1].why]: 1,
        [OTHER_MACHINE[2].why]: 4,
      });
    });
  },
);
