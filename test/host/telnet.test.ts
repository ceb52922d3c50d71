import { expect, test } from 'vitest';
import { telnetInput, telnetOutput } from '../../src/host/telnet.ts';

test('what telnet clients say among themselves is not typed, however it is cut', () => {
  const said = [0x61, 255, 253, 1, 0x62, 255, 250, 24, 0, 65, 255, 255, 255, 240, 0x63, 255, 255, 255, 241, 0x64];
  const typed = [0x61, 0x62, 0x63, 255, 0x64];
  expect([...telnetInput()(Uint8Array.from(said))]).toEqual(typed);
  const bytewise = telnetInput();
  expect(said.flatMap((byte) => [...bytewise(Uint8Array.of(byte))])).toEqual(typed);
});

test('a printed byte of 255 is written twice', () => {
  expect([...telnetOutput(Uint8Array.of(1, 255, 2))]).toEqual([1, 255, 255, 2]);
});
