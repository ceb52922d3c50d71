/** Sign and exponent, significand. */
export type Extended = readonly [number, bigint];

/**
 * Transcendental instructions with ST(0) and ST(1), and the mathematical results they leave from ST(0) on, rounded to
 * nearest. Angles are reduced by the 66-bit value of pi that SDM Vol. 1, 8.3.8, gives.
 */
export const KNOWN_RESULTS: readonly (readonly [string, Extended, Extended, readonly Extended[]])[] = [
  ['f2xm1', [0x3ffe, 0x8000000000000000n], [0x3fff, 0x8000000000000000n], [[0x3ffd, 0xd413cccfe7799211n]]],
  ['f2xm1', [0xbffe, 0xc000000000000000n], [0x3fff, 0x8000000000000000n], [[0xbffd, 0xcf901f5ce48ead21n]]],
  ['f2xm1', [0x3ff6, 0x8000000000000000n], [0x3fff, 0x8000000000000000n], [[0x3ff5, 0xb190db43813d43fen]]],
  ['fyl2x', [0x4002, 0xa000000000000000n], [0x4000, 0xc000000000000000n], [[0x4002, 0x9f73da38d9d4a83fn]]],
  ['fyl2x', [0x3ffb, 0xf000000000000000n], [0xc000, 0xa000000000000000n], [[0x4001, 0xf772e16f20ea87e0n]]],
  ['fyl2x', [0x3fff, 0xa000000000000000n], [0x4009, 0x8000000000000000n], [[0x4007, 0xa4d3c25e68dc57f2n]]],
  ['fyl2xp1', [0x3ffd, 0x8000000000000000n], [0x4000, 0xc000000000000000n], [[0x3ffe, 0xf73da38d9d4a83ebn]]],
  ['fyl2xp1', [0xbffc, 0x8000000000000000n], [0x4001, 0xe000000000000000n], [[0xbfff, 0xac9c284b3e2c60cdn]]],
  ['fyl2xp1', [0x3ff5, 0x8000000000000000n], [0x3fff, 0xc000000000000000n], [[0x3ff6, 0x8a6e5f4b97b9f8ben]]],
  [
    'fptan',
    [0x3fff, 0x8000000000000000n],
    [0x3fff, 0x8000000000000000n],
    [
      [0x3fff, 0x8000000000000000n],
      [0x3fff, 0xc75922e5f71d2dc5n],
    ],
  ],
  [
    'fptan',
    [0xc005, 0xc900000000000000n],
    [0x3fff, 0x8000000000000000n],
    [
      [0x3fff, 0x8000000000000000n],
      [0x3ff9, 0xfdbee55a48986527n],
    ],
  ],
  [
    'fptan',
    [0x4013, 0x80000a0000000000n],
    [0x3fff, 0x8000000000000000n],
    [
      [0x3fff, 0x8000000000000000n],
      [0xc004, 0xf983f213cd06fc08n],
    ],
  ],
  ['fpatan', [0x3fff, 0x8000000000000000n], [0x4000, 0xc000000000000000n], [[0x3fff, 0x9fe0bb5bd42affecn]]],
  ['fpatan', [0xc000, 0x8000000000000000n], [0x3ffe, 0x8000000000000000n], [[0x4000, 0xb9621fa58b285383n]]],
  ['fpatan', [0x4001, 0xa000000000000000n], [0xbff8, 0x8000000000000000n], [[0xbff5, 0xccccc1e099f745b7n]]],
  ['fsin', [0x3fff, 0x8000000000000000n], [0x3fff, 0x8000000000000000n], [[0x3ffe, 0xd76aa47848677021n]]],
  ['fsin', [0xc005, 0xc900000000000000n], [0x3fff, 0x8000000000000000n], [[0x3ff9, 0xfd9fc19a387f85c8n]]],
  ['fsin', [0x4013, 0x80000a0000000000n], [0x3fff, 0x8000000000000000n], [[0x3ffe, 0xfff7949516897597n]]],
  ['fsin', [0x4027, 0x8000000000800000n], [0x3fff, 0x8000000000000000n], [[0xbffe, 0xfd01f77c14fc0240n]]],
  ['fcos', [0x3fff, 0x8000000000000000n], [0x3fff, 0x8000000000000000n], [[0x3ffe, 0x8a51407da8345c92n]]],
  ['fcos', [0xc005, 0xc900000000000000n], [0x3fff, 0x8000000000000000n], [[0x3ffe, 0xffe0956d76760c63n]]],
  ['fcos', [0x4013, 0x80000a0000000000n], [0x3fff, 0x8000000000000000n], [[0xbff9, 0x834f47826ace0caan]]],
  ['fcos', [0x4027, 0x8000000000800000n], [0x3fff, 0x8000000000000000n], [[0xbffc, 0x9c1bb97a8f3e8bb3n]]],
  [
    'fsincos',
    [0x3fff, 0x8000000000000000n],
    [0x3fff, 0x8000000000000000n],
    [
      [0x3ffe, 0x8a51407da8345c92n],
      [0x3ffe, 0xd76aa47848677021n],
    ],
  ],
  [
    'fsincos',
    [0xc005, 0xc900000000000000n],
    [0x3fff, 0x8000000000000000n],
    [
      [0x3ffe, 0xffe0956d76760c63n],
      [0x3ff9, 0xfd9fc19a387f85c8n],
    ],
  ],
  [
    'fsincos',
    [0x4013, 0x80000a0000000000n],
    [0x3fff, 0x8000000000000000n],
    [
      [0xbff9, 0x834f47826ace0caan],
      [0x3ffe, 0xfff7949516897597n],
    ],
  ],
];
