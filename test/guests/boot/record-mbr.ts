/**
 * Records what QEMU 7.2 makes of the boot sector on a disk of virtio, for disk-boot.test.ts:
 * `npx tsx test/guests/boot/record-mbr.ts` writes test/guests/recorded/mbr-*.txt. Needs qemu-system-x86_64.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVENTS, logLines, MODES, virtioLines, writeDisk } from './mbr.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-mbr-'));
const file = (name: string): string => join(folder, name);
writeDisk(file('mbr.raw'));

for (const [mode, properties] of Object.entries(MODES)) {
  const { status } = spawnSync('qemu-system-x86_64', [
    ...['-M', 'pc', '-nodefaults', '-display', 'none', '-m', '64', '-serial', `file:${file('console')}`],
    ...['-drive', `if=none,id=d,file=${file('mbr.raw')},format=raw,snapshot=on`],
    ...['-device', `virtio-blk-pci,drive=d${properties}`, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
    ...['-chardev', `file,id=c,path=${file('log')}`, '-device', 'isa-debugcon,iobase=0x402,chardev=c'],
    ...['-D', file('trace'), ...EVENTS.flatMap((kind) => ['-trace', kind])],
  ]);
  const read = (name: string): string => readFileSync(file(name), 'utf8');
  const parts = [`status ${status}`, read('console'), ...logLines(read('log')), ...virtioLines(read('trace'))];
  writeFileSync(new URL(`../recorded/mbr-${mode}.txt`, import.meta.url), `${parts.join('\n')}\n`);
}
rmSync(folder, { recursive: true });
