/** Files that the recorded server of TFTP serves, by their names. */
export const FILES: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  [
    ['hello.txt', 13],
    ['two-blocks', 1024],
    ['big', 3000],
    ['empty', 0],
    ['sub/deep.txt', 700],
  ].map(([name, size]) => [name, Uint8Array.from({ length: Number(size) }, (_, at) => (at * 31 + at / 256) & 0xff)]),
);
