import { describe, expect, test } from 'vitest';
import { cpioArchive } from '../../scripts/cpio.ts';

const text = (bytes: Uint8Array, from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).toString();

describe('a newc archive', () => {
  const bytes = cpioArchive([
    { kind: 'folder', name: 'dev' },
    { kind: 'character-device', name: 'dev/console', major: 5, minor: 1 },
    { kind: 'file', name: 'init', bytes: Buffer.from('#!/bin/sh\n'), executable: true },
    { kind: 'link', name: 'bin', target: 'usr/bin' },
  ]);

  /** Members by the format's own rules: 110-byte header, name, content, each padded to 4. */
  function members(): { name: string; mode: number; content: string; device: string }[] {
    const found = [];
    const up = (at: number): number => Math.ceil(at / 4) * 4;
    for (let at = 0; at < bytes.length; ) {
      expect(text(bytes, at, at + 6)).toBe('070701');
      const start = at + 6;
      const field = (index: number): number =>
        Number.parseInt(text(bytes, start + index * 8, start + index * 8 + 8), 16);
      const nameAt = at + 110;
      const contentAt = up(nameAt + field(11));
      const name = text(bytes, nameAt, nameAt + field(11) - 1);
      found.push({
        name,
        mode: field(1),
        content: text(bytes, contentAt, contentAt + field(6)),
        device: `${field(9)}:${field(10)}`,
      });
      at = up(contentAt + field(6));
    }
    return found;
  }

  test('holds each entry with its mode, content and device, and ends with the trailer', () => {
    expect(members()).toEqual([
      { name: 'dev', mode: 0o040755, content: '', device: '0:0' },
      { name: 'dev/console', mode: 0o020600, content: '', device: '5:1' },
      { name: 'init', mode: 0o100755, content: '#!/bin/sh\n', device: '0:0' },
      { name: 'bin', mode: 0o120777, content: 'usr/bin', device: '0:0' },
      { name: 'TRAILER!!!', mode: 0, content: '', device: '0:0' },
    ]);
  });
});
