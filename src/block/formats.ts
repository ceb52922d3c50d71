/** How images keep what a disk holds: QEMU's formats, by the names of `-drive format=`. */
import { Problem, shortly } from '../base/problem.ts';
import type { BlockFormat } from './format.ts';
import type { ImageFile } from './image-file.ts';
import { raw } from './raw.ts';

export const FORMATS = { raw } as const satisfies Readonly<Record<string, BlockFormat>>;

export type FormatName = keyof typeof FORMATS;

export const FORMAT_NAMES = Object.keys(FORMATS) as [FormatName, ...FormatName[]];

export const isFormat = (name: string): name is FormatName => Object.hasOwn(FORMATS, name);

/** How images of formats that there are not begin. */
const OTHERS: readonly (readonly [format: string, at: number, magic: string])[] = [
  ['qcow2', 0, 'QFI\xfb'],
  ['qed', 0, 'QED\0'],
  ['vmdk', 0, 'KDMV'],
  ['vmdk', 0, '# Disk DescriptorFile'],
  ['vdi', 0x40, '\x7f\x10\xda\xbe'],
  ['vhdx', 0, 'vhdxfile'],
  ['vpc', 0, 'conectix'],
  ['luks', 0, 'LUKS\xba\xbe'],
  ['parallels', 0, 'WithoutFreeSpace'],
  ['parallels', 0, 'WithouFreSpacExt'],
];

/** The format of a file of which nobody said it. Throws a Problem where it is one that there is not. */
export function probe(file: ImageFile): FormatName {
  const head = file.size === 0 ? new Uint8Array(0) : file.block(0);
  const starts = ([, at, magic]: (typeof OTHERS)[number]): boolean =>
    [...magic].every((letter, index) => head[at + index] === letter.charCodeAt(0));
  const other = OTHERS.find(starts);
  if (other === undefined) return 'raw';
  throw new Problem(
    `${shortly(file.name)} is an image of format ${other[0]}, which is not supported: make it raw, as by ` +
      '`qemu-img convert -O raw`. If it only looks like one, say format=raw.',
  );
}
