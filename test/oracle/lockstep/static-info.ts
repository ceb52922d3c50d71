import { Decoder, DecoderOptions, Mnemonic, RflagsBits } from 'iced-x86';

/** What lockstep must know of an instruction before it runs. */
export interface StaticInfo {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly mnemonic: Mnemonic;
  readonly repeats: boolean;
  /** Its result comes from time, a device or the processor's identity: taken over from QEMU. */
  readonly foreign: string | undefined;
  readonly modified: number;
  readonly undefined: number;
}

const FOREIGN = new Map<Mnemonic, string>([
  [Mnemonic.In, 'IN'],
  [Mnemonic.Insb, 'INS'],
  [Mnemonic.Insw, 'INS'],
  [Mnemonic.Insd, 'INS'],
  [Mnemonic.Rdtsc, 'RDTSC'],
  [Mnemonic.Rdtscp, 'RDTSC'],
  [Mnemonic.Cpuid, 'CPUID'],
  [Mnemonic.Rdmsr, 'RDMSR'],
  [Mnemonic.Rdrand, 'RDRAND'],
  [Mnemonic.Rdseed, 'RDRAND'],
  [Mnemonic.Rdpmc, 'RDPMC'],
  [Mnemonic.Xgetbv, 'XGETBV'],
]);
const VARIABLE = new Set<Mnemonic>([
  Mnemonic.Shl,
  Mnemonic.Sal,
  Mnemonic.Shr,
  Mnemonic.Sar,
  Mnemonic.Rol,
  Mnemonic.Ror,
  Mnemonic.Rcl,
  Mnemonic.Rcr,
  Mnemonic.Shld,
  Mnemonic.Shrd,
]);
const EFLAGS: readonly (readonly [number, number])[] = [
  [RflagsBits.OF, 0x800],
  [RflagsBits.SF, 0x80],
  [RflagsBits.ZF, 0x40],
  [RflagsBits.AF, 0x10],
  [RflagsBits.CF, 1],
  [RflagsBits.PF, 4],
];
const eflags = (bits: number): number => EFLAGS.reduce((mask, [from, to]) => (bits & from ? mask | to : mask), 0);

/** Decode once what `bytes` begin with. */
export function staticInfo(bytes: Uint8Array, bitness: number): StaticInfo {
  const decoder = new Decoder(bitness, bytes, DecoderOptions.None);
  const instruction = decoder.decode();
  const { mnemonic } = instruction;
  const own = bytes.slice(0, instruction.length);
  const info: StaticInfo = {
    bytes: own,
    mnemonic,
    text: `${Buffer.from(own).toString('hex')} ${Mnemonic[mnemonic]}`,
    repeats: (instruction.hasRepPrefix || instruction.hasRepnePrefix) && instruction.isStringInstruction,
    foreign: FOREIGN.get(mnemonic),
    // A count of zero changes no flag: what was undefined before stays so.
    modified: VARIABLE.has(mnemonic) ? 0 : eflags(instruction.rflagsModified),
    undefined: eflags(instruction.rflagsUndefined),
  };
  instruction.free();
  decoder.free();
  return info;
}
