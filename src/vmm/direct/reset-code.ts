import { BOOT_PORT } from '../../devices/direct-boot/index.ts';
import { assemble, label, op, ref } from '../option-rom/assemble.ts';

/**
 * The 64 KiB at the reset vector of a machine without firmware: a processor that was only initialised goes on at the
 * vector at 40:67 when the CMOS shutdown byte is 0x0a, as every PC BIOS has it since the AT; else the kernel starts.
 */
export function resetCode(): Uint8Array {
  const rom = new Uint8Array(ROM_SIZE);
  rom.set(assemble(LISTING), CODE);
  // jmp far 0xf000:code, since a guest may also come by way of ffff:0000.
  rom.set([0xea, CODE & 0xff, CODE >> 8, 0x00, 0xf0], RESET_VECTOR);
  return rom;
}

/** Where the code lies in segment F000; a copy of the bytes from here on is needed there too. */
export const RESET_CODE_START = 0xff80;

const ROM_SIZE = 0x10000;
const CODE = RESET_CODE_START;
const RESET_VECTOR = 0xfff0;

const LISTING = [
  op('cli', 0xfa),
  op('xor ax, ax', 0x31, 0xc0),
  op('mov ds, ax', 0x8e, 0xd8),
  op('mov al, 0x8f ; shutdown status', 0xb0, 0x8f),
  op('out 0x70, al', 0xe6, 0x70),
  op('in al, 0x71', 0xe4, 0x71),
  op('cmp al, 0x0a', 0x3c, 0x0a),
  ref('jne start', [0x75], 'start', 'short'),
  op('jmp far [0x467]', 0xff, 0x2e, 0x67, 0x04),
  label('start'),
  op('mov dx, boot port', 0xba, BOOT_PORT & 0xff, BOOT_PORT >> 8),
  op('out dx, al', 0xee),
  label('wait'),
  op('hlt', 0xf4),
  ref('jmp wait', [0xeb], 'wait', 'short'),
];
