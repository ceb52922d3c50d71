import { toInteger } from './convert.ts';
import { type FloatEnvironment, IE } from './environment.ts';
import { unpackInteger } from './formats.ts';
import { type Unpacked, withSign } from './unpacked.ts';

const LIMIT = 10n ** 18n;

/** The packed BCD integer in the first 10 bytes (SDM vol. 1 §4.7). */
export function unpackBcd(buffer: DataView): Unpacked {
  let value = 0n;
  for (let at = 8; at >= 0; at--) {
    const byte = buffer.getUint8(at);
    value = value * 100n + BigInt((byte >> 4) * 10 + (byte & 15));
  }
  return withSign(unpackInteger(value), buffer.getUint8(9) >> 7);
}

/** Writes the operand, rounded, as packed BCD; beyond 18 digits: IE and the BCD indefinite. */
export function packBcd(env: FloatEnvironment, a: Unpacked, buffer: DataView): void {
  const before = env.raised;
  const value = toInteger(env, a, 64, env.rounding);
  const magnitude = value < 0n ? -value : value;
  if (magnitude >= LIMIT) {
    env.raised = before | IE;
    env.roundedUp = false;
    buffer.setBigUint64(0, 0xc000_0000_0000_0000n, true);
    buffer.setUint16(8, 0xffff, true);
    return;
  }
  let rest = magnitude;
  for (let at = 0; at < 9; at++) {
    const pair = Number(rest % 100n);
    rest /= 100n;
    buffer.setUint8(at, (Math.floor(pair / 10) << 4) | (pair % 10));
  }
  buffer.setUint8(9, a.sign << 7);
}
