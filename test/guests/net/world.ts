/** A world with a host that serves files, for guests that speak to it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const KIB = 1024;

/** Bytes that repeat nowhere near, none of them zero. */
export function bytesOf(length: number): Uint8Array {
  const words = new Uint32Array(length / 4);
  let word = 0x1234_5678;
  for (let at = 0; at < words.length; at += 1) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    words[at] = word ^ (word >>> 15);
  }
  // What busybox posts ends at the first zero.
  return new Uint8Array(words.buffer).map((byte) => byte || 1);
}

/** What is served, by name. */
export const SERVED: Readonly<Record<string, Uint8Array>> = {
  'big.bin': bytesOf(256 * KIB),
  'huge.bin': bytesOf(16 * KIB * KIB),
};

/** Write a world and what it serves. `link`: rules of the way to its host. Returns the path of its file. */
export function writeWorld(folder: string, link: object = {}): string {
  mkdirSync(join(folder, 'web'), { recursive: true });
  for (const [name, bytes] of Object.entries(SERVED)) writeFileSync(join(folder, 'web', name), bytes);
  const services = [
    { kind: 'http', port: 80, folder: 'web' },
    { kind: 'echo', port: 7 },
  ];
  const world = {
    names: [{ name: 'www.example.org', type: 'A', value: '10.0.2.100' }],
    hosts: [{ name: 'www', addresses: ['10.0.2.100'], services, link }],
  };
  const path = join(folder, 'world.json');
  writeFileSync(path, JSON.stringify(world, undefined, 2));
  return path;
}
