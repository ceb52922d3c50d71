import { type Bitness, CaseRecord, CODE_BASE, dataOffset, ENTRY, WINDOW_BASE, WINDOW_SIZE } from './record.ts';

/** What the random forms of the catalogue leave out: the ends of code segments, lengths, and the space of hints. */
export interface Family {
  readonly name: string;
  readonly bitness: Bitness;
  readonly cases: readonly CaseRecord[];
}

const EAX = 0;
const ECX = 1;
const ESP = 4;
const STACK = WINDOW_BASE + WINDOW_SIZE / 2;
/** Offset of the case in a code segment of its own. */
const FROM = ENTRY - CODE_BASE;

type Bytes = readonly number[];

const little = (value: number, size: number): number[] =>
  Array.from({ length: size }, (_, at) => (value >>> (8 * at)) & 0xff);

function caseOf(code: Bytes, bitness: Bitness, change: (record: CaseRecord) => void = () => undefined): CaseRecord {
  const record = new CaseRecord();
  record.setCode(Uint8Array.from(code), bitness);
  record.rflags = 0x203;
  record.setGpr(ESP, BigInt(dataOffset(STACK, bitness)));
  record.setGpr(ECX, 2n);
  const image = new DataView(record.fx.buffer, record.fx.byteOffset);
  image.setUint16(0, 0x37f, true);
  image.setUint32(24, 0x1f80, true);
  change(record);
  return record;
}

/** A near branch: what leads to `target` with operands of `size` bytes, prefixes before it; none: it is too far. */
type Branch = (target: number, size: number, prefixes: number) => Bytes | undefined;

const relative =
  (opcode: Bytes, width?: 1): Branch =>
  (target, size, prefixes) => {
    const bytes = width ?? size;
    const distance = target - FROM - prefixes - opcode.length - bytes;
    return bytes === 1 && (distance | 0) !== (distance << 24) >> 24
      ? undefined
      : [...opcode, ...little(distance, bytes)];
  };

/** CF is set, ZF clear, ECX 2. */
const BRANCHES: Readonly<Record<string, Branch>> = {
  'JMP rel': relative([0xe9]),
  'JNZ rel': relative([0x0f, 0x85]),
  'JZ rel': relative([0x0f, 0x84]),
  'CALL rel': relative([0xe8]),
  'JMP EAX': () => [0xff, 0xe0],
  'CALL EAX': () => [0xff, 0xd0],
  RET: () => [0xc3],
  'RET 6': () => [0xc2, 6, 0],
  'JMP rel8': relative([0xeb], 1),
  'JC rel8': relative([0x72], 1),
  'LOOP rel8': relative([0xe2], 1),
  'LOOPNE rel8': relative([0xe0], 1),
  'LOOPE rel8': relative([0xe1], 1),
  'JCXZ rel8': relative([0xe3], 1),
};
/** All within what is mapped and filled with INT3. */
const LIMITS = [0x800 + 15, 0x81f, 0x8ff, 0xfff, 0x1234, 0xfffe, 0xffff, 0x1_0000, 0x1_0fff, 0x1_fffe];

/** Near branches with targets around the end of their segment and around 64 KB. */
function branches(bitness: 16 | 32): CaseRecord[] {
  const cases: CaseRecord[] = [];
  for (const limit of LIMITS) {
    const around = [limit - 1, limit, limit + 1, limit + 2, 0xffff, 0x1_0000, 0x1_0003, 0xffff_fffe, 0x900];
    for (const target of around.filter((to) => to < FROM || to > FROM + 16)) {
      for (const branch of Object.values(BRANCHES)) {
        for (const prefix of [[], [0x66]]) {
          const size = (bitness === 32) !== prefix.length > 0 ? 4 : 2;
          const code = branch(target, size, prefix.length);
          if (code === undefined) continue;
          cases.push(
            caseOf([...prefix, ...code], bitness, (record) => {
              record.codeLimit = limit;
              record.setGpr(EAX, BigInt(target >>> 0));
              record.window.set(little(target, 4), STACK - WINDOW_BASE);
            }),
          );
        }
      }
    }
  }
  return cases;
}

/** Instructions of every length at the end of their segment: inside, across, and beyond. */
function crossings(bitness: 16 | 32): CaseRecord[] {
  const bodies: Bytes[] = [[0x90], [0xb0, 1], [0x83, 0xc0, 1], [0x0f, 0xba, 0xe0, 3], [0x05, 1, 0, 0, 0], [0xf7, 0xd0]];
  return [0, 1, 5, 9].flatMap((prefixes) =>
    bodies.flatMap((body) =>
      Array.from({ length: 16 }, (_, last) =>
        caseOf([...new Array<number>(prefixes).fill(0x3e), ...body], bitness, (record) => {
          record.codeLimit = FROM + last;
        }),
      ),
    ),
  );
}

const HINTS = [0x0d, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f];

/**
 * 0F 0D and 0F 18 to 0F 1F with every ModRM byte and the prefixes that select opcodes elsewhere. 0F 0D with a
 * register is 3DNow!'s on some makers' processors, and undefined.
 */
function hints(bitness: Bitness): CaseRecord[] {
  const prefixes = [
    [],
    [0x66],
    [0xf2],
    [0xf3],
    [0xf0],
    [0x66, 0xf3],
    ...(bitness === 64 ? [[0x48], [0xf3, 0x48]] : []),
  ];
  return HINTS.flatMap((opcode) =>
    prefixes.flatMap((prefix) =>
      Array.from({ length: opcode === 0x0d ? 0xc0 : 256 }, (_, modRm) =>
        caseOf([...prefix, 0x0f, opcode, modRm, ...operandBytes(bitness, modRm)], bitness),
      ),
    ),
  );
}

/** SIB and displacement of a ModRM byte, zeros. SDM Vol. 2, tables 2-1 and 2-2. */
function operandBytes(bitness: Bitness, modRm: number): number[] {
  const [mod, rm] = [modRm >>> 6, modRm & 7];
  const zeros = (count: number): number[] => new Array<number>(count).fill(0);
  if (mod === 3) return [];
  if (bitness === 16) return zeros(mod === 1 ? 1 : mod === 2 || rm === 6 ? 2 : 0);
  return zeros((rm === 4 ? 1 : 0) + (mod === 1 ? 1 : mod === 2 || rm === 5 ? 4 : 0));
}

/** Without 0F FF: some makers read a ModRM byte behind it, some do not. */
const BODIES: readonly Bytes[] = [
  [0x90],
  [0xb0, 0x12],
  [0x89, 0xd8],
  [0x0f, 0xb6, 0xc3],
  [0x0f, 0x38, 0x00, 0xc1],
  [0x0f, 0x1f, 0xc0],
  [0x0f, 0x0b],
  [0xff, 0xf8],
  [0x0f, 0x0a],
  [0x81, 0xc0, 1, 2, 3, 4],
  [0x69, 0xc0, 1, 2, 3, 4],
];
const REDUNDANT = [0x26, 0x2e, 0x36, 0x3e, 0x66, 0x67, 0xf2, 0xf3];

/** 12 to 16 bytes, with prefixes that repeat, alone or by turns. */
function lengths(bitness: Bitness): CaseRecord[] {
  const cases: CaseRecord[] = [];
  for (const body of BODIES) {
    for (let count = Math.max(0, 12 - body.length); count + body.length <= 16; count++) {
      for (const first of REDUNDANT) {
        for (const second of [first, 0x3e, 0x66, ...(bitness === 64 ? [0x48] : [])]) {
          const prefixes = Array.from({ length: count }, (_, at) => (at % 2 === 0 ? first : second));
          cases.push(caseOf([...prefixes, ...body], bitness));
        }
      }
    }
  }
  return cases;
}

/** All families. Those of the ends of code segments need 16- and 32-bit segments. */
export function families(): Family[] {
  return [
    ...([16, 32] as const).flatMap((bitness): Family[] => [
      { name: 'near branches around the end of a code segment', bitness, cases: branches(bitness) },
      { name: 'instructions across the end of a code segment', bitness, cases: crossings(bitness) },
    ]),
    ...([16, 32, 64] as const).flatMap((bitness): Family[] => [
      { name: 'the space of hints', bitness, cases: hints(bitness) },
      { name: 'instructions of about 15 bytes', bitness, cases: lengths(bitness) },
    ]),
  ];
}
