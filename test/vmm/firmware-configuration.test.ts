/** What firmware and guest are told by fw_cfg, SMBIOS and CMOS, byte by byte beside QEMU's, which qtest reads. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { rtcAtReset } from '../../src/devices/mc146818/index.ts';
import { NODE } from '../../src/host/node.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { configurationOf, machineOptions } from '../../src/runs/machine/machine-description.ts';
import { prepared } from '../../src/runs/underway/prepare.ts';
import { firmwareItems } from '../../src/vmm/fw-cfg/items.ts';
import { FW_CFG } from '../../src/vmm/fw-cfg/keys.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { tool, without } from '../stepping-aside.ts';

const QEMU = 'qemu-system-x86_64';
/** What QEMU says of the processor under TCG. */
const PROCESSOR: readonly [number, number] = [0x60fb1, 0x078bfbfd];
const MEMORY = 128;

/** The answers to commands of QEMU's qtest protocol. Under TCG it does not end with its input. */
async function qtest(options: readonly string[], commands: readonly string[]): Promise<number[]> {
  const machine = ['-machine', 'pc-i440fx-7.2,accel=tcg', '-m', `${MEMORY}`, '-nodefaults', '-display', 'none', '-S'];
  const qemu = spawn(QEMU, [...machine, ...options, '-qtest', 'stdio'], { timeout: 30_000 });
  const answers: number[] = [];
  const said = text(qemu.stderr);
  qemu.stdin.end(`${commands.join('\n')}\n`);
  for await (const line of createInterface({ input: qemu.stdout })) {
    if (line.startsWith('OK')) answers.push(Number(line.slice(3) || 0));
    if (answers.length === commands.length) qemu.kill();
  }
  if (answers.length === commands.length) return answers;
  throw new Error(`QEMU: ${await said}`);
}

const select = (key: number): string => `outw 0x510 ${key}`;
const bytesOfItem = (key: number, length: number): string[] => [
  select(key),
  ...Array.from({ length }, () => 'inb 0x511'),
];

/** Files of QEMU's fw_cfg by name, the first items, and CMOS. */
async function ofQemu(options: readonly string[], names: ReadonlySet<string>) {
  const count = (await qtest(options, bytesOfItem(FW_CFG.fileDirectory, 4))).at(-1) as number;
  const directory = Uint8Array.from((await qtest(options, bytesOfItem(FW_CFG.fileDirectory, 4 + 64 * count))).slice(1));
  const view = new DataView(directory.buffer);
  const listed = Array.from({ length: count }, (_, at) => 4 + 64 * at).map((at) => ({
    name: Buffer.from(directory.subarray(at + 8, at + 64))
      .toString('latin1')
      .replace(/\0.*$/s, ''),
    key: view.getUint16(at + 4),
    length: view.getUint32(at),
  }));
  const wanted = listed.filter(({ name }) => names.has(name));
  const items = [
    { name: 'uuid', key: FW_CFG.uuid, length: 16 },
    { name: 'menu', key: FW_CFG.bootMenu, length: 2 },
  ];
  const cmos = [0x38, 0x3d, 0x09, 0x08, 0x07, 0x32].flatMap((register) => [`outb 0x70 ${register}`, 'inb 0x71']);
  const read = [...items, ...wanted];
  const answers = await qtest(options, [...read.flatMap(({ key, length }) => bytesOfItem(key, length)), ...cmos]);
  const files = new Map<string, string>();
  let at = 0;
  for (const { name, length } of read) {
    files.set(name, Buffer.from(answers.slice(at + 1, at + 1 + length)).toString('latin1'));
    at += length + 1;
  }
  return { files, cmos: answers.slice(at).filter((_, index) => index % 2 === 1) };
}

/** The same of ours. */
function ofOurs(options: readonly string[], names: ReadonlySet<string>) {
  const asked = runOptions([...options, '-m', `${MEMORY}`, '-nodefaults', '-bios', '/usr/share/seabios/bios-256k.bin']);
  const { description, images, wallClockAtPowerOn } = prepared(NODE, asked);
  const items = firmwareItems(machineOptions(description, images), PROCESSOR);
  const contentOf = (key: number): string => Buffer.from(items.get(key) ?? []).toString('latin1');
  const directory = items.get(FW_CFG.fileDirectory) as Uint8Array;
  const files = new Map([
    ['uuid', contentOf(FW_CFG.uuid)],
    ['menu', contentOf(FW_CFG.bootMenu)],
  ]);
  for (let at = 4; at < directory.length; at += 64) {
    const name = Buffer.from(directory.subarray(at + 8, at + 64))
      .toString('latin1')
      .replace(/\0.*$/s, '');
    if (names.has(name)) files.set(name, contentOf(FW_CFG.fileFirst + (at - 4) / 64));
  }
  const { bootOrder, rtcAhead } = configurationOf(description);
  const rtc = rtcAtReset({ ramBelow4G: MEMORY << 20, ramAbove4G: 0, cpus: 1, bootOrder, ahead: rtcAhead });
  const date = new Date((rtc.baseSeconds + Number(wallClockAtPowerOn / 1_000_000_000n)) * 1000);
  const bcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);
  const century = bcd(Math.floor(date.getUTCFullYear() / 100));
  const day = [date.getUTCFullYear() % 100, date.getUTCMonth() + 1, date.getUTCDate()].map(bcd);
  return { files, cmos: [rtc.cmos[0x38], rtc.cmos[0x3d], ...day, century] };
}

const OWN = ['bootorder', 'etc/boot-fail-wait', 'etc/boot-menu-wait', 'etc/smbios/smbios-anchor'];
const NAMES = new Set([...OWN, 'etc/smbios/smbios-tables', 'opt/mine', 'opt/file']);
const UUID = '01234567-89ab-cdef-0123-456789abcdef';
const SMBIOS = [
  'type=1,manufacturer=A maker,product=The product,version=1.2,serial=S/N 1,sku=SKU,family=Fam',
  'type=2,manufacturer=Board maker,product=B,version=2,serial=BS,asset=BA,location=here',
  'type=3,manufacturer=Chassis maker,version=3,serial=CS,asset=CA,sku=CK',
  'type=4,sock_pfx=SOCK,manufacturer=P,version=P4,serial=PS,asset=PA,part=PP,max-speed=3100,current-speed=2900',
  'type=11,value=first,value=second',
  'type=17,loc_pfx=SLOT,bank=B0,manufacturer=M,serial=MS,asset=MA,part=MP,speed=2666',
].flatMap((value) => ['-smbios', value]);

test.each([
  ['nothing said', ['-rtc', 'base=2026-11-29']],
  [
    '-boot order',
    ['-boot', 'order=dcn,menu=on,strict=on,splash-time=4000,reboot-timeout=5000', '-rtc', 'base=2001-02-03'],
  ],
  ['-boot letters, another century', ['-boot', 'n', '-rtc', 'base=1999-12-31T23:00:00']],
  ['-uuid', ['-uuid', UUID, '-rtc', 'base=2026-11-29']],
  ['-smbios', [...SMBIOS, '-uuid', UUID, '-rtc', 'base=2026-11-29']],
  ['one field of one type', ['-smbios', `type=1,serial=only,uuid=${UUID}`, '-rtc', 'base=2026-11-29']],
])('firmware is told what QEMU tells it: %s', { ...LONG, ...without(tool(QEMU)) }, async (_, options) => {
  expect(ofOurs(options, NAMES)).toEqual(await ofQemu(options, NAMES));
});

test('files of -fw_cfg, by text and by path', { ...LONG, ...without(tool(QEMU)) }, async () => {
  const path = join(scratchFolder(), 'file.bin');
  writeFileSync(
    path,
    Uint8Array.from({ length: 300 }, (_, at) => at & 0xff),
  );
  const files = ['-fw_cfg', 'name=opt/mine,string=a,,b c', '-fw_cfg', `name=opt/file,file=${path}`];
  const options = [...files, '-rtc', 'base=2026-11-29'];
  const ours = ofOurs(options, NAMES);
  expect(ours.files.get('opt/mine')).toBe('a,b c');
  expect(ours.files.get('opt/file')).toHaveLength(300);
  expect(ours).toEqual(await ofQemu(options, NAMES));
});
