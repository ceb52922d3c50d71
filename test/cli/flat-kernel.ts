import { writeFileSync } from 'node:fs';

/** Write a multiboot kernel that says itself where it belongs (1 MiB), with this code. Returns its path. */
export function writeFlatKernel(path: string, code: readonly number[]): string {
  const [magic, flags, load] = [0x1badb002, 0x10000, 0x100000];
  const words = [magic, flags, -(magic + flags), load, load, 0, 0, load + 32];
  writeFileSync(path, Uint8Array.from([...new Uint8Array(Uint32Array.from(words).buffer), ...code]));
  return path;
}
