/** Fraction bits of the fixed-point numbers in which series are summed. */
export const FRACTION = 192n;
/** 1 in that fixed point. */
export const ONE = 1n << FRACTION;

/** The sum of z^k / (2k + 1): atanh(x) / x for z = x^2, atan(x) / x for z = -x^2. */
export function arctangentSeries(z: bigint): bigint {
  let sum = ONE;
  let power = z;
  for (let k = 3n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = (power * z) >> FRACTION;
  }
  return sum;
}

/** The sum of (-z)^k / (2k + 1)!: sin(x) / x for z = x^2. */
export function sineSeries(z: bigint): bigint {
  let sum = ONE;
  let term = ONE;
  for (let k = 2n; term !== 0n; k += 2n) {
    term = -((term * z) >> FRACTION) / (k * (k + 1n));
    sum += term;
  }
  return sum;
}

/** The sum of (-z)^k / (2k)!: cos(x) for z = x^2. */
export function cosineSeries(z: bigint): bigint {
  let sum = ONE;
  let term = ONE;
  for (let k = 1n; term !== 0n; k += 2n) {
    term = -((term * z) >> FRACTION) / (k * (k + 1n));
    sum += term;
  }
  return sum;
}

/** The sum of y^k / (k + 1)!: (exp(y) - 1) / y. */
export function exponentialSeries(y: bigint): bigint {
  let sum = ONE;
  let term = ONE;
  for (let k = 2n; term !== 0n; k += 1n) {
    term = (term * y) / (ONE * k);
    sum += term;
  }
  return sum;
}

/** ln 2 = 2 atanh(1/3). */
export const LN2 = (2n * arctangentSeries(ONE / 9n)) / 3n;

/** atan(1/n). */
function arctangentOfInverse(n: bigint): bigint {
  return arctangentSeries(-ONE / (n * n)) / n;
}

/** pi by Machin's formula. */
export const PI = 16n * arctangentOfInverse(5n) - 4n * arctangentOfInverse(239n);
