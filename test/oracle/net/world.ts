import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LinkRules, World, WorldFile } from '../../../src/net/world/world.ts';

/** Bytes that repeat nowhere near: a counter's hashes. */
function noise(length: number): Uint8Array {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 32) createHash('sha256').update(`${at}`).digest().copy(bytes, at);
  return Uint8Array.from(bytes);
}

export const ORACLE_FILES: Record<string, Uint8Array> = {
  '64k': noise(64 * 1024),
  '256k': noise(256 * 1024),
  '16m': noise(16 * 1024 * 1024),
  short: Uint8Array.from(Buffer.from('short\n')),
};

const served = (file: string): WorldFile => ({
  ...{ file, size: ORACLE_FILES[file]!.length },
  sha256: createHash('sha256').update(ORACLE_FILES[file]!).digest('hex'),
});

/** Have the files of a folder served, too, at `/files/`. */
export function serveFolder(folder: string): void {
  for (const name of readdirSync(folder)) ORACLE_FILES[`files/${name}`] = readFileSync(join(folder, name));
}

/** A world for trials by real clients. */
export const oracleWorld = (link: LinkRules): World => ({
  link,
  time: Math.floor(Date.now() / 1000),
  hosts: [
    {
      name: 'gateway',
      calls: ['10.0.2.15', 'fec0::15'].map((to) => ({
        ...{ at: 6e9, to, port: 2222, retry: 1e9 },
        steps: [
          { do: 'expect', text: 'hello\n' },
          { do: 'send', text: 'x'.repeat(200_000) },
          { do: 'expect', text: '200000\n' },
        ],
      })),
      addresses: ['10.0.2.2', 'fec0::2'],
      services: [
        {
          ...{ kind: 'http', port: 80 },
          files: {
            ...Object.fromEntries(Object.keys(ORACLE_FILES).map((name) => [`/${name}`, served(name)])),
            '/a/short': served('short'),
          },
        },
        { kind: 'echo', port: 7 },
        { kind: 'echo', port: 7, protocol: 'udp' },
        { kind: 'sink', port: 9 },
        { kind: 'sink', port: 10, stallAfter: 100_000 },
        { kind: 'sink', port: 11, resetAfter: 100_000 },
        { kind: 'daytime', port: 13 },
        { kind: 'chargen', port: 19 },
        { kind: 'ntp', port: 123 },
      ],
    },
  ],
});
