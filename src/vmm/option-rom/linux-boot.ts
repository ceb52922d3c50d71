import { FW_CFG } from '../fw-cfg/keys.ts';
import { assemble, label, type Line, op, ref } from './assemble.ts';

/** File name under genroms/, as firmware and `bootorder` see it. */
export const LINUX_BOOT_ROM = 'linuxboot_dma.bin';

/**
 * Option ROM that boots the kernel fw_cfg holds: a plug-and-play boot entry vector that fetches setup code,
 * kernel, initrd and command line by fw_cfg's DMA and enters the kernel's real-mode code at its second sector.
 * BIOS Boot Specification 1.01, 3.1; Linux Documentation/arch/x86/boot.rst, "Running the kernel".
 */
export function linuxBootRom(): Uint8Array {
  const code = assemble(LISTING);
  const rom = new Uint8Array(Math.ceil((code.length + 1) / BLOCK) * BLOCK);
  rom.set(code);
  rom[2] = rom.length / BLOCK;
  rom[PNP_HEADER + PNP_CHECKSUM] = complement(rom.subarray(PNP_HEADER, PNP_HEADER + PNP_LENGTH));
  rom[rom.length - 1] = complement(rom);
  return rom;
}

function complement(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}

const BLOCK = 512;
const PNP_HEADER = 0x20;
const PNP_LENGTH = 0x20;
const PNP_CHECKSUM = 9;

const word = (value: number): [number, number] => [value & 0xff, value >> 8];

const keys = (text: string, ...values: readonly number[]): Line => op(text, ...values.flatMap(word));

/** Text and code are one: the bytes stand beside what they mean. Scratch memory is at 0:7000. */
const LISTING: readonly Line[] = [
  op('dw 0xaa55', 0x55, 0xaa),
  op('db 0 ; size in 512-byte blocks', 0),
  op('retf ; initialisation has nothing to do', 0xcb),
  op('times 0x1a - $ db 0', ...new Array<number>(0x1a - 4).fill(0)),
  op('dw pnp', ...word(PNP_HEADER)),
  op('dd 0', 0, 0, 0, 0),

  // pnp: expansion header. Plug and Play BIOS specification 1.0A, 3.2.
  op("db '$PnP', 1, 2", 0x24, 0x50, 0x6e, 0x50, 1, PNP_LENGTH / 16),
  op('dw 0 ; next header', 0, 0),
  op('db 0, 0 ; reserved, checksum', 0, 0),
  op('dd 0 ; device identifier', 0, 0, 0, 0),
  ref('dw maker', [], 'maker', 'offset'),
  ref('dw product', [], 'product', 'offset'),
  op('db 0, 0, 0 ; device type', 0, 0, 0),
  op('db 0 ; device indicators', 0),
  op('dw 0, 0 ; boot connection, disconnect', 0, 0, 0, 0),
  ref('dw boot ; boot entry vector', [], 'boot', 'offset'),
  op('dw 0, 0', 0, 0, 0, 0),

  label('boot'),
  op('cli', 0xfa),
  op('cld', 0xfc),
  op('xor ax, ax', 0x31, 0xc0),
  op('mov ds, ax', 0x8e, 0xd8),
  ref('mov bx, parts', [0xbb], 'parts', 'offset'),
  label('next'),
  ref('call load', [0xe8], 'load', 'near'),
  op('add bx, 6', 0x83, 0xc3, 6),
  ref('cmp bx, parts_end', [0x81, 0xfb], 'parts_end', 'offset'),
  ref('jb next', [0x72], 'next', 'short'),
  op('mov ax, setup address', 0xb8, ...word(FW_CFG.setupAddress)),
  ref('call number', [0xe8], 'number', 'near'),
  op('mov esi, eax', 0x66, 0x89, 0xc6),
  op('mov ax, command line address', 0xb8, ...word(FW_CFG.commandLineAddress)),
  ref('call number', [0xe8], 'number', 'near'),
  op('sub eax, esi', 0x66, 0x29, 0xf0),
  op('sub ax, 16 ; the stack ends below the command line', 0x83, 0xe8, 16),
  op('shr esi, 4', 0x66, 0xc1, 0xee, 4),
  op('mov ss, si', 0x8e, 0xd6),
  op('mov sp, ax', 0x89, 0xc4),
  op('mov ds, si', 0x8e, 0xde),
  op('mov es, si', 0x8e, 0xc6),
  op('mov fs, si', 0x8e, 0xe6),
  op('mov gs, si', 0x8e, 0xee),
  op('add si, 0x20', 0x83, 0xc6, 0x20),
  op('push si', 0x56),
  op('push 0', 0x6a, 0),
  op('retf', 0xcb),

  // load: move one part. cs:bx points to its keys: address, size, contents.
  label('load'),
  op('mov ax, [cs:bx]', 0x2e, 0x8b, 0x07),
  ref('call number', [0xe8], 'number', 'near'),
  op('push eax', 0x66, 0x50),
  op('mov ax, [cs:bx + 2]', 0x2e, 0x8b, 0x47, 2),
  ref('call number', [0xe8], 'number', 'near'),
  op('mov ecx, eax', 0x66, 0x89, 0xc1),
  op('pop edi', 0x66, 0x5f),
  op('mov ax, [cs:bx + 4]', 0x2e, 0x8b, 0x47, 4),
  ref('jmp transfer', [0xeb], 'transfer', 'short'),

  // number: eax = the 32-bit item with key ax.
  label('number'),
  op('mov ecx, 4', 0x66, 0xb9, 4, 0, 0, 0),
  op('mov edi, 0x7010', 0x66, 0xbf, 0x10, 0x70, 0, 0),
  ref('call transfer', [0xe8], 'transfer', 'near'),
  op('mov eax, [0x7010]', 0x66, 0xa1, 0x10, 0x70),
  op('ret', 0xc3),

  // transfer: ecx bytes of the item with key ax to physical edi. QEMU docs/specs/fw_cfg.rst, "DMA interface".
  label('transfer'),
  op('shl eax, 16', 0x66, 0xc1, 0xe0, 16),
  op('mov ax, 0x0a ; select and read', 0xb8, 0x0a, 0),
  op('bswap eax', 0x66, 0x0f, 0xc8),
  op('mov [0x7000], eax', 0x66, 0xa3, 0x00, 0x70),
  op('bswap ecx', 0x66, 0x0f, 0xc9),
  op('mov [0x7004], ecx', 0x66, 0x89, 0x0e, 0x04, 0x70),
  op('xor eax, eax', 0x66, 0x31, 0xc0),
  op('mov [0x7008], eax', 0x66, 0xa3, 0x08, 0x70),
  op('bswap edi', 0x66, 0x0f, 0xcf),
  op('mov [0x700c], edi', 0x66, 0x89, 0x3e, 0x0c, 0x70),
  op('mov dx, 0x514', 0xba, 0x14, 0x05),
  op('out dx, eax', 0x66, 0xef),
  op('mov dl, 0x18', 0xb2, 0x18),
  op('mov eax, bswap 0x7000', 0x66, 0xb8, 0x00, 0x00, 0x70, 0x00),
  op('out dx, eax', 0x66, 0xef),
  label('wait'),
  op('mov eax, [0x7000]', 0x66, 0xa1, 0x00, 0x70),
  op('and eax, 0xfeffffff ; all but the error bit', 0x66, 0x25, 0xff, 0xff, 0xff, 0xfe),
  ref('jnz wait', [0x75], 'wait', 'short'),
  op('ret', 0xc3),

  label('parts'),
  keys('dw setup', FW_CFG.setupAddress, FW_CFG.setupSize, FW_CFG.setupData),
  keys('dw kernel', FW_CFG.kernelAddress, FW_CFG.kernelSize, FW_CFG.kernelData),
  keys('dw initrd', FW_CFG.initrdAddress, FW_CFG.initrdSize, FW_CFG.initrdData),
  keys('dw command line', FW_CFG.commandLineAddress, FW_CFG.commandLineSize, FW_CFG.commandLineData),
  label('parts_end'),
  label('maker'),
  op("db 'Retrovisor', 0", ...new TextEncoder().encode('Retrovisor\0')),
  label('product'),
  op("db 'Linux loader', 0", ...new TextEncoder().encode('Linux loader\0')),
];
