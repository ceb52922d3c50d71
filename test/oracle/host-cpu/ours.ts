import { EPTP } from '../../../src/x86/controls.ts';
import { HOST_PHYSICAL_BASE } from '../../../src/memory/host-physical.ts';
import {
  type ExecutionControls,
  type Guest,
  type GuestStop,
  NO_CONTROLS,
  type Registers,
  type Segment,
} from '../../../src/x86/guest.ts';
import {
  EPT_ACCESS,
  EPT_IGNORE_PAT,
  EPT_LARGE,
  EPT_MEMORY_TYPE_SHIFT,
  EPT_POOL_BASE,
  eptWord,
} from '../../../src/memory/ept-pool.ts';
import {
  type CaseRecord,
  CODE_BASE,
  CODE_BASE_16,
  CODE_SIZE,
  codeOffset,
  DATA_BASE_16,
  DATA_BASE,
  DATA_SIZE,
  ENTRY,
  WINDOW_BASE,
} from './record.ts';

const PML4 = 0x10000;
const PDPT = 0x11000;
const PD = 0x12000;
const PT_LOW = 0x13000;
const PRESENT_WRITE_USER = 7n;
const SECONDARY_ENABLED = 0x80000000;
const ENABLE_EPT = 1 << 1;
const UNRESTRICTED_GUEST = 1 << 7;
const EXCEPTION_OR_NMI = 0;
const CODE_64 = { selector: 0x33, base: 0n, limit: 0xffffffff, access: 0xa0fb };
const CODE_32 = { selector: 0x23, base: 0n, limit: 0xffffffff, access: 0xc0fb };
const CODE_16 = { selector: 0x7, base: BigInt(CODE_BASE_16), limit: 0xffff, access: 0x00fb };
const DATA_16 = { selector: 0xf, base: BigInt(DATA_BASE_16), limit: 0xffff, access: 0x00f3 };
const DATA = { selector: 0x2b, base: 0n, limit: 0xffffffff, access: 0xc0f3 };
/** More than any REP count the generator gives. */
const BUDGET = 2000;

/** Runs cases on our processor as the helper runs them on the host's: CPL 3, every exception leaves. */
export interface OurCpu {
  run(record: CaseRecord): CaseRecord;
}

/** Prepare a processor that nobody else uses; its memory must have at least 4 MB from address 0. */
export function ourCpu(guest: Guest): OurCpu {
  const vcpu = guest.addVcpu();
  buildEpt(guest);
  buildPageTables(guest);
  guest.writeHost(CODE_BASE, new Uint8Array(CODE_SIZE).fill(0xcc));
  guest.setControls(vcpu, controls());
  const registers = guest.registers(vcpu);
  enterUserMode(registers);
  return { run: (record) => run(guest, vcpu, registers, record) };
}

/** An identity map of the first 8 MB with large pages. */
function buildEpt(guest: Guest): void {
  const write = (page: number, index: number, low: number, high: number) => {
    guest.eptWords[eptWord(page, index)] = low >>> 0;
    guest.eptWords[eptWord(page, index) + 1] = high;
  };
  const high = Math.floor(EPT_POOL_BASE / 0x1_0000_0000);
  write(EPT_POOL_BASE, 0, 0x1000 | EPT_ACCESS, high);
  write(EPT_POOL_BASE + 0x1000, 0, 0x2000 | EPT_ACCESS, high);
  for (let i = 0; i < 4; i++) {
    const leaf = (i * 0x200000) | EPT_ACCESS | EPT_LARGE | EPT_IGNORE_PAT | (6 << EPT_MEMORY_TYPE_SHIFT);
    write(EPT_POOL_BASE + 0x2000, i, leaf, HOST_PHYSICAL_BASE / 0x1_0000_0000);
  }
  guest.invalidateEpt();
}

/** Long-mode tables that map the data pages and the code page, and nothing else. */
function buildPageTables(guest: Guest): void {
  const entry = (table: number, index: number, value: bigint) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    guest.writeHost(table + index * 8, bytes);
  };
  entry(PML4, 0, BigInt(PDPT) | PRESENT_WRITE_USER);
  entry(PDPT, 0, BigInt(PD) | PRESENT_WRITE_USER);
  entry(PD, 1, BigInt(PT_LOW) | PRESENT_WRITE_USER);
  const code = Array.from({ length: CODE_SIZE >> 12 }, (_, page) => CODE_BASE + page * 0x1000);
  for (const page of [DATA_BASE, DATA_BASE + 0x1000, ...code]) {
    entry(PT_LOW, (page >> 12) & 511, BigInt(page) | PRESENT_WRITE_USER);
  }
}

function controls(): ExecutionControls {
  return {
    ...NO_CONTROLS,
    primary: SECONDARY_ENABLED,
    secondary: ENABLE_EPT | UNRESTRICTED_GUEST,
    exceptionBitmap: 0xffffffff,
    eptPointer: BigInt(EPT_POOL_BASE) | BigInt(EPTP.FOUR_LEVELS | EPTP.WRITE_BACK),
  };
}

function enterUserMode(registers: Registers): void {
  registers.efer = 0xd01n; // NXE, LMA, LME, SCE
  registers.cr3 = BigInt(PML4);
  registers.cr4 = 0x620n; // PAE, OSFXSR, OSXMMEXCPT
  registers.cr0 = 0x80050033n; // PG, AM, WP, NE, ET, MP, PE
  registers.setSegment(1, CODE_64);
  for (const index of [0, 2, 3]) registers.setSegment(index, DATA);
  for (const index of [4, 5]) registers.setSegment(index, { ...DATA, selector: 0 });
  registers.setSegment(7, { selector: 0x40, base: 0n, limit: 0x67, access: 0x8b });
  registers.activity = 0;
}

function codeSegment({ bitness, codeLimit: limit }: CaseRecord): Segment {
  if (limit !== 0) return { ...(bitness === 32 ? CODE_32 : CODE_16), selector: 0x17, base: BigInt(CODE_BASE), limit };
  return bitness === 64 ? CODE_64 : bitness === 32 ? CODE_32 : CODE_16;
}

function run(guest: Guest, vcpu: number, registers: Registers, before: CaseRecord): CaseRecord {
  guest.writeHost(DATA_BASE, new Uint8Array(DATA_SIZE));
  guest.writeHost(WINDOW_BASE, before.window);
  const code = new Uint8Array(16).fill(0xcc);
  code.set(before.code);
  guest.writeHost(ENTRY, code);
  for (let i = 0; i < 16; i++) registers.setGpr(i, before.gpr(i));
  registers.setSegment(1, codeSegment(before));
  for (const index of [0, 2, 3]) registers.setSegment(index, before.bitness === 16 ? DATA_16 : DATA);
  registers.rflags = BigInt(before.rflags);
  registers.rip = BigInt(before.codeLimit === 0 ? codeOffset(ENTRY, before.bitness) : ENTRY - CODE_BASE);
  registers.interruptibility = 0;
  const area = new Uint8Array(576);
  area.set(before.fx.subarray(0, 464));
  area[512] = 3;
  registers.setXsave(area);
  const stop = guest.run(vcpu, BUDGET, { info: 0, errorCode: 0, length: 0 });
  return result(guest, registers, before, stop);
}

function result(guest: Guest, registers: Registers, before: CaseRecord, stop: GuestStop): CaseRecord {
  const after = before.copy();
  for (let i = 0; i < 16; i++) after.setGpr(i, registers.gpr(i));
  after.rflags = Number(registers.rflags);
  after.rip = registers.rip;
  if (stop.why === 'exit' && stop.exit.reason === EXCEPTION_OR_NMI) {
    after.vector = stop.exit.interruptionInfo & 0xff;
    after.errorCode = stop.exit.interruptionErrorCode;
    after.cr2 = after.vector === 14 ? stop.exit.qualification : 0n;
  } else {
    after.vector = stop.why === 'exit' ? 1000 + stop.exit.reason : 255;
  }
  after.fx.set(registers.xsave().subarray(0, 464));
  after.window.set(guest.readHost(WINDOW_BASE, after.window.length));
  return after;
}
