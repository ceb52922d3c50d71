import { join } from 'node:path';
import { expect, test } from 'vitest';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const GUESTS = ['vmlinuz', 'initramfs.gz'] as const;

test("Debian's kernel is debugged with the symbols of its own kallsyms", without(noGuests(...GUESTS)), () => {
  const trace = join(folder, 'linux.trace');
  const images = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz')];
  const console = ['-append', 'console=ttyS0 earlyprintk=ttyS0', '-m', '128'];
  const { out } = retrovisor(['run', ...images, ...console, '--ticks', '360000000', '--trace', trace]);
  const banner = /Linux version [^\r\n]*/.exec(out)?.[0] as string;
  const asked = ['at end', 'kallsyms', 'bt', 'x/s linux_banner', 'why jiffies/8', 'back', 'step'];
  const answers = retrovisor(['debug', trace], `${asked.join('\n')}\n`);
  expect(answers.status).toBe(0);
  expect(answers.out).toMatch(/\d{5,} symbols/);
  expect(answers.out).toContain(banner.slice(0, 60));
  expect(answers.out).toMatch(/^#0 {2}0x[0-9a-f]+ <\w+/m);
  expect(answers.out).toMatch(/at tick \d+ by vcpu0: 0x[0-9a-f]+ <do_timer\+0x[0-9a-f]+>/);
});
