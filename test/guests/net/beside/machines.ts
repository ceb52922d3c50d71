/** A Linux with a network card that goes through guest.sh, on QEMU and on ours, each with a host of its own. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { DebianKernel } from '../../../../scripts/guests/initramfs.ts';
import { guestFile } from '../../command-line.ts';
import { linuxWith } from '../../linux/initramfs.ts';
import { bytesOf } from '../world.ts';

const HERE = (name: string): string => join(import.meta.dirname, name);
const RETROVISOR = HERE('../../../../bin/retrovisor.js');

export type Card = 'e1000' | 'virtio-net-pci';

/** A machine that is held beside another: its card, its kernel, and a folder for what it leaves. */
export interface Machine {
  readonly card: Card;
  readonly kernel: DebianKernel;
  readonly initramfs: string;
  readonly folder: string;
}

/** What the guest printed, by heading, and the capture at its network. */
export interface Held {
  readonly said: ReadonlyMap<string, string>;
  readonly capture: string;
}

/** The time of day both begin at. */
const BEGINS = '2023-11-14T22:13:20';

/** The address of www.example.org, as host.py says. */
const WORLD = { names: [{ name: 'www.example.org', type: 'A', value: '10.0.2.100' }] };

/** Prepare a folder for both. */
export function prepare(folder: string): void {
  spawnSync('mkdir', ['-p', join(folder, 'tftp')]);
  writeFileSync(join(folder, 'tftp/small.bin'), bytesOf(1100));
  writeFileSync(join(folder, 'big.bin'), bytesOf(256 << 10));
  writeFileSync(join(folder, 'world.json'), JSON.stringify(WORLD));
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\n');
}

export function onQemu(machine: Machine): Held {
  const time = ['-icount', 'shift=3', '-rtc', `base=${BEGINS},clock=vm`];
  return held(machine, 'qemu', ['qemu-system-x86_64', '-M', 'pc', '-accel', 'tcg', ...time], '');
}

/** Its trace is CARD.trace. */
export function onOurs(machine: Machine): Held {
  const { card, folder } = machine;
  const firmware = ['-option-rom', guestFile('kvmvapic.bin')];
  const recorded = ['--trace', join(folder, `${card}.trace`), '--wall-clock', `${BEGINS}Z`];
  const outside = `,live=localhost,world=${join(folder, 'world.json')}`;
  return held(machine, 'ours', [process.execPath, RETROVISOR, 'run', ...firmware, ...recorded], outside);
}

/** What somebody types once the guest has said so. */
const KEYS = ['= pull\t\\x01cset_link n0 off\\r\\x01c', '= plug\\r\t\\x01cset_link n0 on\\r\\x01c'];

const romOf = (card: Card): string => guestFile(card === 'e1000' ? 'efi-e1000.rom' : 'efi-virtio.rom');

function held({ card, kernel, initramfs, folder }: Machine, who: string, program: string[], outside: string): Held {
  const capture = join(folder, `${card}-${who}.pcap`);
  const linux = linuxWith(initramfs, '', kernel).map((word) => (word === 'stdio' ? 'mon:stdio' : word));
  const network = [
    ...['-netdev', `user,id=n0,tftp=${join(folder, 'tftp')}${outside}`],
    ...['-object', `filter-dump,id=f,netdev=n0,file=${capture}`],
    ...['-device', `${card},netdev=n0,addr=3,romfile=${romOf(card)}`],
  ];
  const machine = ['-bios', guestFile('bios-256k.bin'), '-cpu', 'qemu64,vendor=GenuineIntel', ...linux, ...network];
  const files = ['resolv.conf', 'tftp/small.bin', 'big.bin'].map((name) => join(folder, name));
  const host = ['-rnm', 'python3', HERE('host.py'), ...files, 'python3', HERE('../../on-a-terminal.py')];
  const { status, stdout, stderr } = spawnSync('unshare', [...host, ...program, ...machine], {
    ...{ encoding: 'utf8', input: `${KEYS.join('\n')}\n`, maxBuffer: 1 << 28 },
    env: { ...process.env, SECONDS_AT_MOST: '900' },
  });
  expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: expect.stringContaining('= done') });
  return { said: parts(stdout), capture };
}

/** What a guest said under each of its headings. */
const parts = (out: string): Map<string, string> =>
  new Map(
    out
      .replaceAll('\r', '')
      .split(/^= /m)
      .slice(1)
      .map((part) => [/^[a-zA-Z0-9 ]*[a-z0-9]/.exec(part)?.[0] ?? '', part]),
  );
