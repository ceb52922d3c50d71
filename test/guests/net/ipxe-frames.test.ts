import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../../src/packets/capture-file.ts';
import { LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from '../command-line.ts';

const folder = scratchFolder();

/** Frames until iPXE has its lease and says so. */
const FRAMES = { e1000: 13, rtl8139: 9, 'virtio-net-pci': 9 } as const;

/** Instructions after which it has long said so, and before it waits for somebody. */
const ENOUGH = { e1000: 206_000_000, rtl8139: 207_000_000, 'virtio-net-pci': 224_000_000 } as const;

const ROMS = { e1000: 'efi-e1000.rom', rtl8139: 'efi-rtl8139.rom', 'virtio-net-pci': 'efi-virtio.rom' } as const;

type Card = keyof typeof FRAMES;

const machine = (card: Card, capture: string, rom: string): string[] => [
  ...['-bios', guestFile('bios-256k.bin'), '-nodefaults', '-boot', 'n', '-netdev', 'user,id=n0'],
  ...['-object', `filter-dump,id=f,netdev=n0,file=${capture}`, '-device', `${card},netdev=n0${rom}`],
];

/** Its own ROM, which both give to a card of this name; where the file lies is QEMU's business. */
const romOf = (card: Card): string => `,romfile=${guestFile(ROMS[card])}`;

/** A capture that is being written may not be one yet. */
function hasAll(capture: string, card: Card): boolean {
  try {
    return existsSync(capture) && framesOf(capture, card).length === FRAMES[card];
  } catch {
    return false;
  }
}

/** Milliseconds between two looks at what QEMU has captured, and how many looks it is given. */
const LOOK_MS = 200;
const LOOKS = 600;

async function onQemu(card: Card): Promise<readonly Uint8Array[]> {
  const capture = join(folder, `${card}-qemu.pcap`);
  const time = ['-icount', 'shift=3,sleep=off', '-rtc', 'base=2023-11-14T22:13:20,clock=vm'];
  const rom = card === 'virtio-net-pci' ? '' : romOf(card);
  const words = ['-accel', 'tcg', '-display', 'none', ...time, ...machine(card, capture, rom)];
  const qemu = spawn('qemu-system-x86_64', words, { stdio: 'ignore' });
  // A machine that waits never ends.
  for (let looks = 0; looks < LOOKS && qemu.exitCode === null; looks += 1) {
    await setTimeout(LOOK_MS);
    if (hasAll(capture, card)) break;
  }
  qemu.kill();
  if (qemu.exitCode === null && qemu.signalCode === null) await once(qemu, 'close');
  return framesOf(capture, card);
}

function onOurs(card: Card): readonly Uint8Array[] {
  const capture = join(folder, `${card}-ours.pcap`);
  const args = ['--no-trace', '--ticks', `${ENOUGH[card]}`, '--wall-clock', '1700000000'];
  retrovisor(['run', ...machine(card, capture, romOf(card)), ...args]);
  return framesOf(capture, card);
}

const framesOf = (capture: string, card: Card): readonly Uint8Array[] =>
  readCapture(capture, new Uint8Array(readFileSync(capture)))
    .slice(0, FRAMES[card])
    .map(({ bytes }) => bytes);

/** Of a DHCP message in Ethernet and IPv4: UDP's checksum, and the transaction's number, which iPXE draws. */
const CHECKSUM = 40;
const TRANSACTION = 46;
const PORTS: readonly number[] = [67, 68];

const isDhcp = (view: DataView): boolean =>
  view.getUint16(12) === 0x800 &&
  view.getUint8(23) === 17 &&
  PORTS.includes(view.getUint16(34)) &&
  PORTS.includes(view.getUint16(36));

/** A frame without the number, which is also gone from the checksum (RFC 1624), so that this is compared as well. */
function withoutTransaction(frame: Uint8Array): string {
  const own = new Uint8Array(frame);
  const view = new DataView(own.buffer);
  if (isDhcp(view)) {
    let sum = view.getUint16(CHECKSUM) + view.getUint16(TRANSACTION) + view.getUint16(TRANSACTION + 2);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    view.setUint16(CHECKSUM, sum);
    view.setUint32(TRANSACTION, 0);
  }
  return Buffer.from(own).toString('hex');
}

describe.each(['e1000', 'rtl8139', 'virtio-net-pci'] as const)("iPXE's lease over %s", (card) => {
  const aside = noGuests('bios-256k.bin', ROMS[card]);
  const setup = { ...LONG, ...without(aside, tool('qemu-system-x86_64')), timeout: 600_000 };

  test("is frame by frame QEMU's", setup, async () => {
    const theirs = await onQemu(card);
    expect(theirs).toHaveLength(FRAMES[card]);
    expect(onOurs(card).map(withoutTransaction)).toEqual(theirs.map(withoutTransaction));
  });
});
