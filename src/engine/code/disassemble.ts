import iced from 'iced-x86';

const { Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction } = iced;

/** One instruction as a person reads it. */
export interface Disassembled {
  readonly rip: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Where a near branch or call leads. */
  readonly target: bigint | undefined;
}

/** Up to `count` instructions of `bytes`, which lie at `rip`. What cannot be decoded is one byte of `(bad)`. */
export function disassemble(bytes: Uint8Array, bits: 16 | 32 | 64, rip: bigint, count: number): Disassembled[] {
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  const formatter = new Formatter(FormatterSyntax.Nasm);
  const instruction = new Instruction();
  formatter.spaceAfterOperandSeparator = true;
  formatter.uppercaseHex = false;
  formatter.hexPrefix = '0x';
  formatter.hexSuffix = '';
  formatter.branchLeadingZeros = false;
  decoder.ip = rip;
  const decoded: Disassembled[] = [];
  let at = 0;
  while (decoded.length < count && at < bytes.length) {
    decoder.decodeOut(instruction);
    const isBad = instruction.code === 0;
    const length = isBad ? 1 : instruction.length;
    const target = isBad || instruction.nearBranchTarget === 0n ? undefined : instruction.nearBranchTarget;
    const text = isBad ? '(bad)' : formatter.format(instruction);
    decoded.push({ rip: rip + BigInt(at), bytes: bytes.slice(at, at + length), text, target });
    at += length;
    if (!isBad) continue;
    decoder.position = at;
    decoder.ip = rip + BigInt(at);
  }
  for (const each of [instruction, formatter, decoder]) each.free();
  return decoded;
}
