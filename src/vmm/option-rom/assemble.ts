/** One line of a listing: a label, or an instruction with its bytes and perhaps a reference to a label. */
export type Line =
  | { readonly label: string }
  | { readonly text: string; readonly bytes: readonly number[] }
  | { readonly text: string; readonly bytes: readonly number[]; readonly to: string; readonly as: Reference };

/** How a reference is stored: signed distance of one or two bytes, or the label's offset as a word. */
export type Reference = 'short' | 'near' | 'offset';

/** An instruction of fixed bytes. */
export const op = (text: string, ...bytes: readonly number[]): Line => ({ text, bytes });

/** An instruction that ends in a reference to a label. */
export const ref = (text: string, bytes: readonly number[], to: string, as: Reference): Line => ({
  text,
  bytes,
  to,
  as,
});

/** A place in the listing. */
export const label = (name: string): Line => ({ label: name });

/** Bytes of a listing, references resolved. Offsets count from the first line. */
export function assemble(listing: readonly Line[]): Uint8Array {
  const places = new Map<string, number>();
  let at = 0;
  for (const line of listing) {
    if ('label' in line) places.set(line.label, at);
    else at += sizeOf(line);
  }
  const bytes: number[] = [];
  for (const line of listing) {
    if ('label' in line) continue;
    bytes.push(...line.bytes);
    if ('to' in line) bytes.push(...resolved(line.as, places.get(line.to)!, bytes.length));
  }
  return Uint8Array.from(bytes);
}

function sizeOf(line: Exclude<Line, { readonly label: string }>): number {
  if (!('to' in line)) return line.bytes.length;
  return line.bytes.length + (line.as === 'short' ? 1 : 2);
}

function resolved(as: Reference, target: number, here: number): number[] {
  if (as === 'short') return [(target - here - 1) & 0xff];
  const value = as === 'near' ? target - here - 2 : target;
  return [value & 0xff, (value >> 8) & 0xff];
}
