import type { RamLayout } from '../memory/ram-layout.ts';
import { type SmbiosSaid, uuidBytes } from './said.ts';

/** What the tables tell of the machine. */
export interface SmbiosOptions {
  readonly cpus: number;
  readonly ram: RamLayout;
  /** EAX and EDX of CPUID leaf 1. */
  readonly processorId: readonly [eax: number, edx: number];
  /** Whether the firmware's own structure is there, which firmware adds to those of the machine. */
  readonly bios?: boolean;
  /** `-smbios`. */
  readonly said?: SmbiosSaid | undefined;
}

/** The entry point and the structures it leads to. SMBIOS 2.8 reference specification, 5.2 and 6. */
export interface Smbios {
  readonly anchor: Uint8Array;
  readonly tables: Uint8Array;
}

/** What QEMU 7.2's `pc` machine says of itself; firmware fills in the address and both checksums. */
export function smbios(options: SmbiosOptions): Smbios {
  const structures = [
    ...(options.bios === true ? [bios()] : []),
    system(options),
    ...baseboard(options),
    chassis(options),
    processor(options),
    ...ownStrings(options),
    ...memory(options),
    structure(32, 0x2000, zeros(7)),
    structure(127, 0x7f00, []),
  ];
  const tables = Uint8Array.from(structures.flat());
  const longest = Math.max(...structures.map((bytes) => bytes.length));
  const anchor = Uint8Array.from([
    ...ascii('_SM_'),
    0,
    ANCHOR_LENGTH,
    2,
    8,
    ...word(longest),
    0,
    ...zeros(5),
    ...ascii('_DMI_'),
    0,
    ...word(tables.length),
    ...dword(0),
    ...word(structures.length),
    0x28,
  ]);
  return { anchor, tables };
}

/** The entry point with address and checksums for tables at `base`. */
export function placeSmbios({ anchor, tables }: Smbios, base: number): Smbios {
  const placed = anchor.slice();
  new DataView(placed.buffer).setUint32(0x18, base, true);
  placed[0x15] = complement(placed.subarray(0x10));
  placed[4] = complement(placed);
  return { anchor: placed, tables };
}

function complement(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}

/** What SeaBIOS of Debian 12 says of itself. 7.1. */
function bios(): number[] {
  const [noCharacteristics, contentDistribution] = [8, 4];
  const releases = [0, 0, 0xff, 0xff];
  const fields = [1, 2, ...word(0xe800), 3, 0, noCharacteristics, ...zeros(7), 0, contentDistribution, ...releases];
  return structure(0, 0, fields, 'SeaBIOS', '1.16.2-debian-1.16.2-1', '04/01/2014');
}

function system({ said }: SmbiosOptions): number[] {
  const text = texts(said?.fields[1], { manufacturer: MAKER, product: PRODUCT, version: MACHINE });
  const [maker, product, version, serial] = text.numbers('manufacturer', 'product', 'version', 'serial');
  const [sku, family] = text.numbers('sku', 'family');
  const fields = [maker, product, version, serial, ...systemUuid(said), WAKE_BY_POWER_SWITCH, sku, family];
  return structure(1, 0x100, fields, ...text.strings);
}

/** The first three parts are numbers of this processor's byte order. 7.2.1. */
function systemUuid(said: SmbiosSaid | undefined): number[] {
  const uuid = said?.fields[1]?.['uuid'];
  if (uuid === undefined) return zeros(16);
  const bytes = uuidBytes(uuid);
  const parts = [bytes.slice(0, 4), bytes.slice(4, 6), bytes.slice(6, 8)];
  return [...parts.flatMap((part) => part.reverse()), ...bytes.slice(8)];
}

/** There only when something is said of it. 7.3. */
function baseboard({ said }: SmbiosOptions): number[][] {
  const given = said?.fields[2];
  if (given === undefined) return [];
  const text = texts(given, { manufacturer: MAKER, product: PRODUCT, version: MACHINE });
  const [maker, product, version, serial] = text.numbers('manufacturer', 'product', 'version', 'serial');
  const [asset, location] = text.numbers('asset', 'location');
  const [hosting, motherboard] = [1, 0x0a];
  const fields = [maker, product, version, serial, asset, hosting, location, ...word(CHASSIS), motherboard, 0];
  return [structure(2, 0x200, fields, ...text.strings)];
}

function chassis({ said }: SmbiosOptions): number[] {
  const [other, safe] = [1, 3];
  const text = texts(said?.fields[3], { manufacturer: MAKER, version: MACHINE });
  const [maker, version, serial, asset, sku] = text.numbers('manufacturer', 'version', 'serial', 'asset', 'sku');
  const fields = [maker, other, version, serial, asset, safe, safe, safe, 2, ...dword(0), 0, 0, 0, 0, sku];
  return structure(3, CHASSIS, fields, ...text.strings);
}

/** 7.12. */
function ownStrings({ said }: SmbiosOptions): number[][] {
  const strings = said?.strings ?? [];
  return strings.length === 0 ? [] : [structure(11, 0xe00, [strings.length], ...strings)];
}

/** One socket; every processor is a core of it. 7.5. */
function processor({ cpus, processorId, said }: SmbiosOptions): number[] {
  const [eax, edx] = processorId;
  const given = said?.fields[4];
  const text = texts(given, { socket: `${given?.['sock_pfx'] ?? 'CPU'} 0`, manufacturer: MAKER, version: MACHINE });
  const [socket, maker, version] = text.numbers('socket', 'manufacturer', 'version');
  const [serial, asset, part] = text.numbers('serial', 'asset', 'part');
  const speed = (name: string): number => Number(given?.[name] ?? 2000);
  return structure(
    4,
    0x400,
    [
      socket,
      3,
      1,
      maker,
      ...dword(eax),
      ...dword(edx),
      version,
      0,
      ...word(0),
      ...word(speed('max-speed')),
      ...word(speed('current-speed')),
      0x41,
      1,
      ...word(0xffff),
      ...word(0xffff),
      ...word(0xffff),
      serial,
      asset,
      part,
      cpus,
      cpus,
      cpus,
      ...word(2),
      ...word(1),
    ],
    ...text.strings,
  );
}

/** The array, its modules of at most 16 GiB, and where it shows in the address space. 7.17, 7.18, 7.20. */
function memory({ ram, said }: SmbiosOptions): number[][] {
  const modules = Math.ceil(ram.total / LARGEST_MODULE);
  const array = structure(16, ARRAY, [
    1,
    3,
    6,
    ...dword(ram.total / 1024),
    ...word(NO_HANDLE),
    ...word(modules),
    ...zeros(8),
  ]);
  const given = said?.fields[17];
  const speed = word(Number(given?.['speed'] ?? 0));
  const devices = Array.from({ length: modules }, (_, index) => {
    const text = texts(given, { locator: `${given?.['loc_pfx'] ?? 'DIMM'} ${index}`, manufacturer: MAKER });
    const [locator, bank, maker] = text.numbers('locator', 'bank', 'manufacturer');
    const [serial, asset, part] = text.numbers('serial', 'asset', 'part');
    const size = Math.min(LARGEST_MODULE, ram.total - index * LARGEST_MODULE) / 2 ** 20;
    return structure(
      17,
      0x1100 + index,
      [
        ...word(ARRAY),
        ...word(NO_HANDLE),
        ...word(0xffff),
        ...word(0xffff),
        ...word(size),
        9,
        0,
        locator,
        bank,
        7,
        ...word(2),
        ...speed,
        maker,
        serial,
        asset,
        part,
        0,
        ...dword(0),
        ...speed,
        ...word(0),
        ...word(0),
        ...word(0),
      ],
      ...text.strings,
    );
  });
  const ranges = [[0, ram.below4g], ...(ram.above4g > 0 ? [[2 ** 32, 2 ** 32 + ram.above4g]] : [])];
  const mapped = ranges.map(([start, end], index) =>
    structure(19, 0x1300 + index, [
      ...dword(start! / 1024),
      ...dword(end! / 1024 - 1),
      ...word(ARRAY),
      modules,
      ...zeros(16),
    ]),
  );
  return [array, ...devices, ...mapped];
}

/** Header, fields, then strings by number from 1; no strings is two zeros. 6.1. */
function structure(type: number, handle: number, fields: readonly number[], ...strings: readonly string[]): number[] {
  const text = strings.flatMap((string) => [...ascii(string), 0]);
  return [type, 4 + fields.length, ...word(handle), ...fields, ...(text.length === 0 ? [0] : text), 0];
}

/** A structure's strings: what is said, else the usual ones, numbered in the order in which fields ask for them. */
function texts(said: Readonly<Record<string, string>> | undefined, usual: Readonly<Record<string, string>>) {
  const strings: string[] = [];
  const number = (name: string): number => {
    const text = said?.[name] ?? usual[name] ?? '';
    return text === '' ? 0 : strings.push(text);
  };
  return { strings, numbers: <N extends string[]>(...names: N) => names.map(number) as { [K in keyof N]: number } };
}

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const zeros = (count: number): number[] => new Array<number>(count).fill(0);
const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
const dword = (value: number): number[] => [...word(value), ...word(value >>> 16)];

const MAKER = 'QEMU';
const PRODUCT = 'Standard PC (i440FX + PIIX, 1996)';
const CHASSIS = 0x300;
const MACHINE = 'pc-i440fx-7.2';
const WAKE_BY_POWER_SWITCH = 6;
const ARRAY = 0x1000;
const NO_HANDLE = 0xfffe;
const LARGEST_MODULE = 16 * 2 ** 30;
const ANCHOR_LENGTH = 0x1f;
