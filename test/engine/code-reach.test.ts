import { describe, expect, test } from 'vitest';
import { decodeInstruction } from '../../src/engine/code/instruction.ts';
import { CODE_REACH, MODE } from '../../src/engine/state/mode.ts';
import { select } from '../../src/engine/code/select.ts';

describe('code in a segment of 4 GiB has the handlers that look at no limit', () => {
  const handlerOf = (code: readonly number[], bits: 32 | 64, mode: number): string => {
    const d = decodeInstruction(Uint8Array.from([...code, 0, 0, 0, 0, 0, 0]), bits, 0n);
    if (typeof d === 'string') throw new Error(d);
    const choice = select(d, mode);
    return 'key' in choice ? choice.key : choice.assist;
  };
  const codes = [
    [0xe9],
    [0xeb],
    [0x75],
    [0x0f, 0x84],
    [0xe8],
    [0xc3],
    [0xc2, 8],
    [0xff, 0xe0],
    [0xff, 0xd0],
    [0xe2],
    [0xe3],
  ];

  test.each(codes)('%#x', (...code) => {
    expect(handlerOf(code, 32, 1)).not.toContain('limited');
    expect(handlerOf(code, 64, 2)).not.toContain('limited');
    expect(handlerOf(code, 32, 1 | (CODE_REACH.between << MODE.reach))).toContain('limited');
  });
});
