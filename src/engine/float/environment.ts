/** The six numeric exceptions, as the bits of x87 FSW and MXCSR carry them (SDM vol. 1 §4.9.1). */
export const IE = 0x01;
export const DE = 0x02;
export const ZE = 0x04;
export const OE = 0x08;
export const UE = 0x10;
export const PE = 0x20;
/** The exceptions found before a result is computed: unmasked, they leave the destination alone (SDM vol. 1 §4.9.2). */
export const PRE_COMPUTATION = IE | DE | ZE;

/** The four rounding modes, encoded as RC is (SDM vol. 1 table 4-8). */
export const ROUND_NEAREST = 0;
export const ROUND_DOWN = 1;
export const ROUND_UP = 2;
export const ROUND_ZERO = 3;

/** What a rounded number must fit: bits of significand and the exponents of normal numbers (SDM vol. 1 table 4-2). */
export interface Format {
  readonly precision: number;
  readonly minExponent: number;
  readonly maxExponent: number;
  /** Exponent adjustment of an unmasked over- or underflow into a register (SDM vol. 1 §8.5.4); 0: no result. */
  readonly wrap: number;
}

/** IEEE binary32. */
export const SINGLE: Format = { precision: 24, minExponent: -126, maxExponent: 127, wrap: 0 };
/** IEEE binary64. */
export const DOUBLE: Format = { precision: 53, minExponent: -1022, maxExponent: 1023, wrap: 0 };
/** The x87 register format with PC = 64 bits. */
export const EXTENDED: Format = { precision: 64, minExponent: -16382, maxExponent: 16383, wrap: 24576 };
/** An x87 register rounded with PC = 53 bits: the range of exponents stays extended (SDM vol. 1 §8.1.5.2). */
const EXTENDED_53: Format = { precision: 53, minExponent: -16382, maxExponent: 16383, wrap: 24576 };
/** An x87 register rounded with PC = 24 bits. */
const EXTENDED_24: Format = { precision: 24, minExponent: -16382, maxExponent: 16383, wrap: 24576 };

/** How to round and what one instruction raised: made by the caller for an instruction, filled in by the arithmetic. */
export interface FloatEnvironment {
  format: Format;
  /** RC. */
  rounding: number;
  /** 1 = masked, in the positions of the flags. */
  masks: number;
  flushToZero: boolean;
  denormalsAreZero: boolean;
  /** SSE takes the first NaN operand; x87 the one with the larger significand (SDM vol. 1 table 4-7). */
  firstNaN: boolean;
  /** Flags already set, and masked: the arithmetic need not find out whether they would be raised again. */
  known: number;
  /** Out: flags raised. */
  raised: number;
  /** Out: the last rounding enlarged the magnitude (C1). */
  roundedUp: boolean;
}

/** An environment for x87: FCW gives RC, PC and the masks (SDM vol. 1 §8.1.5). */
export function x87Environment(fcw: number): FloatEnvironment {
  return {
    format: precisionFormat(fcw),
    rounding: (fcw >> 10) & 3,
    masks: fcw & 0x3f,
    flushToZero: false,
    denormalsAreZero: false,
    firstNaN: false,
    known: 0,
    raised: 0,
    roundedUp: false,
  };
}

/** The register format that PC of FCW selects; the reserved encoding 01 behaves as 64 bits. */
function precisionFormat(fcw: number): Format {
  const pc = (fcw >> 8) & 3;
  return pc === 0 ? EXTENDED_24 : pc === 2 ? EXTENDED_53 : EXTENDED;
}

/** An environment for SSE: MXCSR gives RC, FTZ, DAZ and the masks (SDM vol. 1 §10.2.3). */
export function sseEnvironment(mxcsr: number): FloatEnvironment {
  const env: FloatEnvironment = {
    format: DOUBLE,
    rounding: 0,
    masks: 0,
    flushToZero: false,
    denormalsAreZero: false,
    firstNaN: true,
    known: 0,
    raised: 0,
    roundedUp: false,
  };
  startSse(env, mxcsr);
  return env;
}

/** Sets an SSE environment to MXCSR at the start of an instruction, with nothing raised. */
export function startSse(env: FloatEnvironment, mxcsr: number): void {
  const masks = (mxcsr >> 7) & 0x3f;
  env.rounding = (mxcsr >> 13) & 3;
  env.masks = masks;
  env.flushToZero = (mxcsr & 0x8000) !== 0 && (masks & UE) !== 0;
  env.denormalsAreZero = (mxcsr & 0x40) !== 0;
  env.known = mxcsr & masks;
  env.raised = 0;
}

/** The flags to add to MXCSR: an unmasked pre-computation exception hides the later ones (SDM vol. 1 §11.5.3). */
export function sseFlags(env: FloatEnvironment): number {
  return (env.raised & ~env.masks & PRE_COMPUTATION) !== 0 ? env.raised & PRE_COMPUTATION : env.raised;
}

/** Whether the instruction must raise #XM and leave its destination alone. */
export function sseFaults(env: FloatEnvironment): boolean {
  return (env.raised & ~env.masks & 0x3f) !== 0;
}
