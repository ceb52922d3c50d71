import type { AnyDriver, Driver } from '../../../src/devices/driver.ts';
import { driver } from '../../../src/devices/pc-testdev/index.ts';
import { driveId } from '../../../src/devices/properties.ts';
import type { DiskOperation } from '../../../src/devices/device.ts';

/** What the ports hold, and which requests are in flight. */
interface BlockPortsState {
  readonly sector: number;
  readonly gpa: number;
  /** Where the data of each request goes, by its tag. */
  readonly places: readonly number[];
  readonly inFlight: number;
  readonly result: number;
}

/** A doubleword each: reading the first tells what is in flight, the second how the last request ended. */
export const PORTS = { sector: 0x2e0, gpa: 0x2e4, command: 0x2e8 };
const SECTOR = 512;

export const OPERATIONS: readonly DiskOperation[] = ['read', 'write', 'flush', 'discard', 'write-zeroes'];

/** A request of so many sectors; durable: FUA. */
export const command = (op: DiskOperation, sectors: number, durable = false): number =>
  OPERATIONS.indexOf(op) | (durable ? 0x80 : 0) | (sectors << 8);

const DRAIN = 0x7f;

/** A disk at three ports: as small as a device with a drive can be. */
const blockPorts: Pick<Driver<BlockPortsState, { readonly drive: string }>, 'create' | 'atReset' | 'reducer'> = {
  create: ({ drive }) => ({
    model: 'block-ports',
    regions: [{ name: 'block-ports', space: 'io', base: PORTS.sector, length: 12, minAccess: 4, maxAccess: 4 }],
    pins: [],
    read: ({ inFlight, result }, _region, offset) => (offset === 0 ? inFlight : -result),
    write({ sector, places }, _region, offset, _size, value, effects) {
      effects.commit();
      if (PORTS.sector + offset !== PORTS.command) return;
      if (value === DRAIN) {
        effects.drain(drive);
        return;
      }
      const op = OPERATIONS[value & 0x7f] as DiskOperation;
      const [at, length] = op === 'flush' ? [0, 0] : [sector * SECTOR, (value >>> 8) * SECTOR];
      effects.submit({ drive, tag: places.length, op, offset: at, length, fua: (value & 0x80) !== 0 });
    },
    completed({ places }, { tag, op, offset, length }, result, effects) {
      const gpa = places[tag]!;
      if (result !== 0) return;
      if (op === 'read') effects.dmaWrite(gpa, effects.diskRead(drive, offset, length));
      else if (op === 'write') effects.diskWrite(drive, offset, effects.payload(gpa, length));
      else if (op === 'write-zeroes') effects.diskClear(drive, offset, length);
      else if (op === 'discard' && effects.drive(drive)?.discards === true) effects.diskClear(drive, offset, length);
    },
    describe: ({ inFlight }) => ({ 'in flight': String(inFlight) }),
  }),
  atReset: () => ({ sector: 0, gpa: 0, places: [], inFlight: 0, result: 0 }),
  reducer: {
    written(disk, { offset, value }) {
      if (PORTS.sector + offset === PORTS.sector) disk.sector = value;
      else if (PORTS.sector + offset === PORTS.gpa) disk.gpa = value;
    },
    facts: {
      'sim:disk_submitted'(disk) {
        disk.places.push(disk.gpa);
        disk.inFlight += 1;
      },
      'sim:disk_completed'(disk, { result }) {
        disk.inFlight -= 1;
        disk.result = result;
      },
    },
  },
};

/** Machines made from now on have it as `-device pc-testdev,drive=ID`. Returns how to take it out again. */
export function installBlockPorts(): () => void {
  const before = { ...driver };
  const place: Partial<AnyDriver> = driver;
  Object.assign(place, blockPorts, { properties: { drive: driveId('The disk') } });
  return () => void Object.assign(place, before);
}

/** Where things of the guest lie. */
export const AT = { image: 0x100000, code: 0x100040, from: 0x180000, to: 0x190000 };
const SIZE = 0x2000;

const le32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** Multiboot 1, by its own addresses. */
const header = (): number[] => {
  const flags = 0x10000;
  const end = AT.image + SIZE;
  return [0x1badb002, flags, -(0x1badb002 + flags), AT.image, AT.image, end, end, AT.code].flatMap(le32);
};

const setDx = (port: number): number[] => [0x66, 0xba, port & 0xff, port >>> 8];

/** Write a doubleword to a port. */
export const out32 = (port: number, value: number): number[] => [...setDx(port), 0xb8, ...le32(value), 0xef];

/** Wait until no request is in flight. */
export const WAIT = [...setDx(PORTS.sector), 0xed, 0x85, 0xc0, 0x75, 0xfb];

/** Ask for something at a sector, with data in memory somewhere, and do not wait. */
export const ask = (op: DiskOperation, sector: number, sectors: number, gpa = AT.from, durable = false): number[] => [
  ...out32(PORTS.sector, sector),
  ...out32(PORTS.gpa, gpa),
  ...out32(PORTS.command, command(op, sectors, durable)),
];

/** Fill memory: a doubleword there. */
export const store = (gpa: number, value: number): number[] => [0xc7, 0x05, ...le32(gpa), ...le32(value)];

/** Print the byte at an address over the serial line. */
export const print = (gpa: number): number[] => [0xa0, ...le32(gpa), ...setDx(0x3f8), 0xee];

/** Have all complete at once. */
export const DRAINED = out32(PORTS.command, DRAIN);

/** A kernel that does this, and ends the run. */
export function blockGuest(program: readonly number[]): Uint8Array {
  const image = new Uint8Array(SIZE);
  image.set(header());
  image.set([...program, 0xb0, 0, ...setDx(0xf4), 0xee, 0xf4], AT.code - AT.image);
  return image;
}

const IMUL_EAX_ECX = [0x69, 0xc1];

/** Rounds: write ecx and 4 KiB around it far apart on the disk, read it back and print it, flush. */
export function roundsOf(rounds: number, stride: number): number[] {
  const round = [
    ...[0x89, 0x0d, ...le32(AT.from)],
    ...[...IMUL_EAX_ECX, ...le32(stride), ...setDx(PORTS.sector), 0xef],
    ...out32(PORTS.gpa, AT.from),
    ...out32(PORTS.command, command('write', 8)),
    ...WAIT,
    ...out32(PORTS.gpa, AT.to),
    ...out32(PORTS.command, command('read', 9)),
    ...WAIT,
    ...print(AT.to),
    ...out32(PORTS.command, command('flush', 0)),
    ...WAIT,
  ];
  return [0xb9, ...le32(rounds), ...round, 0x49, 0x0f, 0x85, ...le32(-(round.length + 7))];
}
