/** Instructions from one byte to the next: some hundredths of a second on most hosts. */
const BETWEEN = 400_000;

const LOAD = 0x10_0000;
const MULTIBOOT = 0x1bad_b002;
/** Addresses are in the header, as for a file that is no ELF. */
const ADDRESSES = 0x1_0000;

/**
 * A multiboot kernel that prints the digits on COM1, one after the other and over again, for ever: what it printed
 * tells how far it had come.
 */
export function tickingGuest(between = BETWEEN): Uint8Array {
  const header = [MULTIBOOT, ADDRESSES, -(MULTIBOOT + ADDRESSES), LOAD, LOAD, 0, 0, LOAD + 32];
  const count = [...new Uint8Array(Uint32Array.of(between).buffer)];
  const code = [
    ...[0xb0, 0x30], // mov al, '0'
    ...[0x66, 0xba, 0xf8, 0x03], // mov dx, 0x3f8
    0xee, // out dx, al
    ...[0xfe, 0xc0], // inc al
    ...[0x3c, 0x3a], // cmp al, '9' + 1
    ...[0x75, 0x02], // jne
    ...[0xb0, 0x30], // mov al, '0'
    ...[0xb9, ...count], // mov ecx, between
    ...[0xe2, 0xfe], // loop, to itself
    ...[0xeb, 0xee], // jmp to out
  ];
  return Uint8Array.from([...new Uint8Array(Int32Array.from(header).buffer), ...code]);
}
