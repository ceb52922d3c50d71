import { join } from 'node:path';
import { expect } from 'vitest';
import { guestFile, noGuests, retrovisor } from './command-line.ts';

/** What is missing for a boot. */
export const NO_BOOT = noGuests('vmlinuz', 'initramfs.gz');

/** A boot of Debian of 1.5 thousand million instructions, recorded here; or the trace RETROVISOR_BOOT names. */
export function longBoot(folder: string): string {
  const given = process.env['RETROVISOR_BOOT'];
  if (given !== undefined) return given;
  const trace = join(folder, 'boot.trace');
  const images = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz'), '-m', '256'];
  const words = ['-append', 'console=ttyS0 panic=-1 rdinit=/bin/busybox -- poweroff -f', '-nodefaults'];
  const ran = retrovisor(['run', ...images, ...words, '-serial', 'stdio', '--trace', trace]);
  expect(ran.status).toBe(0);
  return trace;
}
