/** What the BIOS data area says of a machine. */
export interface DataAreaOptions {
  /** Ports of the serial lines, COM1 first. */
  readonly serialPorts: readonly number[];
  /** Seconds since midnight at power-on. */
  readonly secondsOfDay: number;
}

/** Where the BIOS data area lies: segment 40h. */
export const DATA_AREA = 0x400;

/** Where the extended BIOS data area lies: the last KiB of base memory. */
export const EXTENDED_DATA_AREA = 0x9fc00;

/** The offset at which the BIOS's timer interrupt counts, and where it says that midnight has passed. */
export const TIMER = { ticks: 0x6c, midnight: 0x70, ticksOfDay: 0x1800b0 } as const;

/** The 256 bytes of the BIOS data area, as SeaBIOS leaves them on a machine without display, disk and printer. */
export function dataArea({ serialPorts, secondsOfDay }: DataAreaOptions): Uint8Array {
  const bytes = new Uint8Array(0x100);
  const view = new DataView(bytes.buffer);
  for (const [line, port] of serialPorts.entries()) {
    view.setUint16(SERIAL_PORTS + 2 * line, port, true);
    view.setUint8(SERIAL_TIMEOUTS + line, SERIAL_TIMEOUT);
  }
  view.setUint16(EXTENDED_SEGMENT, EXTENDED_DATA_AREA / 16, true);
  view.setUint16(EQUIPMENT, HAS_FPU | HAS_MOUSE | (serialPorts.length << SERIAL_COUNT), true);
  view.setUint16(BASE_MEMORY, EXTENDED_DATA_AREA / 1024, true);
  for (const pointer of [KEYBOARD.head, KEYBOARD.tail, KEYBOARD.start]) view.setUint16(pointer, KEYBOARD.buffer, true);
  view.setUint16(KEYBOARD.end, KEYBOARD.buffer + KEYBOARD.length, true);
  view.setUint8(KEYBOARD.flags, HAS_101_KEYS);
  view.setUint8(DISK_CONTROL, MORE_THAN_8_HEADS);
  view.setUint32(TIMER.ticks, Math.ceil((secondsOfDay * PIT_HZ) / PIT_PERIOD), true);
  return bytes;
}

/** The KiB of the extended area: its size in KiB, and nothing in it. */
export function extendedDataArea(): Uint8Array {
  const bytes = new Uint8Array(1024);
  bytes[0] = 1;
  return bytes;
}

const SERIAL_PORTS = 0x00;
const EXTENDED_SEGMENT = 0x0e;
const EQUIPMENT = 0x10;
const BASE_MEMORY = 0x13;
const DISK_CONTROL = 0x76;
const SERIAL_TIMEOUTS = 0x7c;
/** Sixteen words that keys wait in, by their offsets in the segment. */
const KEYBOARD = { head: 0x1a, tail: 0x1c, buffer: 0x1e, length: 32, start: 0x80, end: 0x82, flags: 0x96 } as const;
const HAS_FPU = 1 << 1;
const HAS_MOUSE = 1 << 2;
const SERIAL_COUNT = 9;
const HAS_101_KEYS = 1 << 4;
const MORE_THAN_8_HEADS = 0xc0;
const SERIAL_TIMEOUT = 10;
const PIT_HZ = 1193182;
const PIT_PERIOD = 0x10000;
