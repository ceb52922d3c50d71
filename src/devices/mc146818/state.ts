import { A, B, D_VALID, REGISTER } from './registers.ts';

/** Real-time clock and its 128 bytes of battery-backed RAM. */
export interface RtcState {
  /** Port 0x70, seven bits. */
  readonly index: number;
  readonly cmos: readonly number[];
  /** Seconds since 1970 shown at `setAt` minus `phase`. */
  readonly baseSeconds: number;
  /** Virtual nanosecond at which the time was last set. */
  readonly setAt: number;
  /** Nanoseconds into its second the clock was when set. */
  readonly phase: number;
  /** Virtual nanosecond of the next alarm. */
  readonly alarmAt: number;
}

/** What the machine puts into the CMOS RAM for its firmware. */
export interface RtcOptions {
  readonly ramBelow4G: number;
  readonly ramAbove4G: number;
  readonly cpus: number;
  /** QEMU's -boot order, letters a-d and n; default 'cad'. */
  readonly bootOrder?: string | undefined;
  /** Seconds the clock is ahead of UTC. */
  readonly ahead?: number | undefined;
}

/**
 * CMOS filled in as QEMU's pc_cmos_init does, the clock without a time but for what it is ahead: that comes with
 * sim:powered_on.
 */
export function rtcAtReset(options: RtcOptions): RtcState {
  const cmos = new Array<number>(128).fill(0);
  cmos[REGISTER.a] = 0x26;
  cmos[REGISTER.b] = B.hours24;
  cmos[REGISTER.d] = D_VALID;
  putMemorySizes(cmos, options);
  putBootOrder(cmos, options.bootOrder ?? 'cad');
  // FPU and PS/2 mouse are there; no floppy.
  cmos[0x14] = 0x06;
  cmos[0x5f] = options.cpus > 0xff ? 0 : options.cpus - 1;
  return { index: 0, cmos, baseSeconds: options.ahead ?? 0, setAt: 0, phase: 0, alarmAt: 0 };
}

/** The register port 0x71 leads to: IBM PS/2's place for the century is that of everybody else. */
export const selectedRegister = ({ index }: RtcState): number =>
  index === REGISTER.ps2Century ? REGISTER.century : index;

/** Whether the clock counts: not being set, divider chain on. */
export const isRunning = ({ cmos }: RtcState): boolean =>
  (cmos[REGISTER.b]! & B.set) === 0 && isDivided(cmos[REGISTER.a]!);

/** Whether the alarm interrupts, for which a machine that sleeps may wake up. */
export const alarmInterrupts = ({ cmos }: RtcState): boolean => (cmos[REGISTER.b]! & B.alarm) !== 0;

/** Whether a value of register A lets the divider chain run. */
export const isDivided = (a: number): boolean => (a & A.divider) <= 0x20;

/** Whether a value of register A holds the divider chain in reset. */
export const isDividerReset = (a: number): boolean => (a & A.dividerReset) === A.dividerReset;

/** Whether a register is one of the alarm's. */
export const isAlarm = (index: number): boolean =>
  index === REGISTER.secondsAlarm || index === REGISTER.minutesAlarm || index === REGISTER.hoursAlarm;

/** Whether a register shows a part of the time. */
export const isTime = (index: number): boolean =>
  index === REGISTER.century || (index <= REGISTER.year && !isAlarm(index));

const KILOBYTE = 1024;
const MEGABYTE = 1024 * KILOBYTE;

/** The places SeaBIOS and older firmware look for memory sizes: KB, KB above 1 MB, 64 KB above 16 MB and 4 GB. */
function putMemorySizes(cmos: number[], options: RtcOptions): void {
  const { ramBelow4G, ramAbove4G } = options;
  const base = Math.min(640, Math.floor(ramBelow4G / KILOBYTE));
  const extended = Math.min(65535, Math.max(0, Math.floor((ramBelow4G - MEGABYTE) / KILOBYTE)));
  const above16M = Math.min(65535, Math.max(0, Math.floor((ramBelow4G - 16 * MEGABYTE) / (64 * KILOBYTE))));
  const above4G = Math.floor(ramAbove4G / (64 * KILOBYTE));
  putWord(cmos, 0x15, base);
  putWord(cmos, 0x17, extended);
  putWord(cmos, 0x30, extended);
  putWord(cmos, 0x34, above16M);
  putWord(cmos, 0x5b, above4G % 0x10000);
  cmos[0x5d] = Math.floor(above4G / 0x10000) & 0xff;
}

const BOOT_CODES: Readonly<Record<string, number>> = { a: 1, b: 1, c: 2, d: 3, n: 4 };

/** First and second device in 0x3d, third in 0x38 whose bit 0 would skip the floppy signature check. */
function putBootOrder(cmos: number[], order: string): void {
  const codes = [0, 1, 2].map((place) => BOOT_CODES[order[place] ?? ''] ?? 0);
  cmos[0x3d] = (codes[1]! << 4) | codes[0]!;
  cmos[0x38] = codes[2]! << 4;
}

function putWord(cmos: number[], at: number, value: number): void {
  cmos[at] = value & 0xff;
  cmos[at + 1] = value >> 8;
}
