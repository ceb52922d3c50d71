/**
 * Registers of the 82540EM by Intel's names, in bytes from the beginning of BAR 0. PCI/PCI-X Family of Gigabit Ethernet
 * Controllers Software Developer's Manual (317453), chapter 13.
 */
export const R = {
  ...{ CTRL: 0x0000, STATUS: 0x0008, EECD: 0x0010, EERD: 0x0014, MDIC: 0x0020, VET: 0x0038 },
  ...{ ICR: 0x00c0, ITR: 0x00c4, ICS: 0x00c8, IMS: 0x00d0, IMC: 0x00d8, RCTL: 0x0100, TCTL: 0x0400, AIT: 0x0458 },
  ...{ LEDCTL: 0x0e00, PBA: 0x1000, RDFH: 0x2410, RDFT: 0x2418, RDFHS: 0x2420, RDFTS: 0x2428, RDFPC: 0x2430 },
  ...{ RDBAL: 0x2800, RDBAH: 0x2804, RDLEN: 0x2808, RDH: 0x2810, RDT: 0x2818, RDTR: 0x2820, RADV: 0x282c },
  ...{ TDFH: 0x3410, TDFT: 0x3418, TDFHS: 0x3420, TDFTS: 0x3428, TDFPC: 0x3430 },
  ...{ TDBAL: 0x3800, TDBAH: 0x3804, TDLEN: 0x3808, TDH: 0x3810, TDT: 0x3818, TXDCTL: 0x3828, TADV: 0x382c },
  ...{ CRCERRS: 0x4000, MPC: 0x4010, SCC: 0x4014, ECOL: 0x4018, MCC: 0x401c, LATECOL: 0x4020, COLC: 0x4028 },
  ...{ DC: 0x4030, TNCRS: 0x4034, SEQEC: 0x4038, CEXTERR: 0x403c, RLEC: 0x4040, XONRXC: 0x4048, XONTXC: 0x404c },
  ...{ XOFFRXC: 0x4050, XOFFTXC: 0x4054, FCRUC: 0x4058, PRC64: 0x405c, PRC127: 0x4060, PRC255: 0x4064 },
  ...{ PRC511: 0x4068, PRC1023: 0x406c, PRC1522: 0x4070, GPRC: 0x4074, BPRC: 0x4078, MPRC: 0x407c, GPTC: 0x4080 },
  ...{ GORCL: 0x4088, GORCH: 0x408c, GOTCL: 0x4090, GOTCH: 0x4094, RNBC: 0x40a0, RUC: 0x40a4, RFC: 0x40a8 },
  ...{ ROC: 0x40ac, RJC: 0x40b0, MGTPRC: 0x40b4, MGTPDC: 0x40b8, MGTPTC: 0x40bc, TORL: 0x40c0, TORH: 0x40c4 },
  ...{ TOTL: 0x40c8, TOTH: 0x40cc, TPR: 0x40d0, TPT: 0x40d4, PTC64: 0x40d8, PTC127: 0x40dc, PTC255: 0x40e0 },
  ...{ PTC511: 0x40e4, PTC1023: 0x40e8, PTC1522: 0x40ec, MPTC: 0x40f0, BPTC: 0x40f4, TSCTC: 0x40f8, TSCTFC: 0x40fc },
  ...{ MTA: 0x5200, RA: 0x5400, VFTA: 0x5600, WUC: 0x5800, WUFC: 0x5808, WUS: 0x5810, MANC: 0x5820, IPAV: 0x5838 },
  ...{ IP4AT: 0x5840, IP6AT: 0x5880, WUPM: 0x5a00, SWSM: 0x5b50, FFLT: 0x5f00, FFMT: 0x9000, FFVT: 0x9800 },
  PBM: 0x1_0000,
} as const;

export type RegisterName = keyof typeof R;

/** Bytes of the registers, and of the ports QEMU has nothing behind. */
export const MMIO_BYTES = 0x2_0000;
export const PORT_BYTES = 0x40;

/** 13.4.1. */
export const CTRL = { rst: 0x0400_0000, vme: 0x4000_0000 } as const;

/** 13.4.2. */
export const STATUS = { linkUp: 0x2 } as const;

/** 13.4.22. */
export const RCTL = {
  ...{ enable: 0x2, storeBad: 0x4, unicastPromiscuous: 0x8, multicastPromiscuous: 0x10, longPackets: 0x20 },
  ...{ broadcast: 0x8000, vlanFilter: 0x4_0000, stripCrc: 0x400_0000, extendedSize: 0x200_0000 },
  /** The lowest of two bits: which part of the ring is few. */
  threshold: 0x100,
} as const;

/** 13.4.33. */
export const TCTL = { enable: 0x2 } as const;

/** Causes of interrupts, in ICR, ICS, IMS and IMC. 13.4.17. */
export const CAUSE = {
  ...{ txdw: 0x1, txqe: 0x2, lsc: 0x4, rxdmt0: 0x10, rxo: 0x40, rxt0: 0x80, mdac: 0x200 },
} as const;

/** RAH. 13.5.3. */
export const ADDRESS_VALID = 0x8000_0000;

/** How many addresses of its own a controller has. */
export const ADDRESSES = 16;

/** Of a descriptor: how many bytes, by the register for the length of a ring. */
export const DESCRIPTOR_BYTES = 16;

/**
 * What a read gives: the register, these bits of it, or what only its code knows. `clear`: it is zero from then on, and
 * `clear pair`: so is the one before it. Without: zero.
 */
export type ReadKind = number | 'plain' | 'clear' | 'clear pair' | 'ICR' | 'EECD' | 'EERD';

/** What a write does: it keeps these bits, or what only its code knows. Without: nothing. */
export type WriteKind = number | 'ICR' | 'ICS' | 'IMS' | 'IMC' | 'EECD' | 'MDIC' | 'TCTL' | 'TDT';

/** The properties without which QEMU leaves out registers. */
export type Needed = 'mitigation' | 'extra_mac_registers';

export interface Access {
  readonly read?: ReadKind;
  readonly write?: WriteKind;
  readonly needs?: Needed;
}

const ALL = 0xffff_ffff;
const DELAY = 0xffff;
const RING_LENGTH = 0xf_ff80;

/** Registers of the same kind. How many of each lie behind one another: 1 unless it is said. */
interface Row extends Access {
  readonly names: readonly RegisterName[];
  readonly count?: number;
}

const EXTRA = { needs: 'extra_mac_registers' } as const;
const STATISTIC = { read: 'plain', ...EXTRA } as const;

/** QEMU 7.2, hw/net/e1000.c: macreg_readops, macreg_writeops, mac_reg_access. */
const ROWS: readonly Row[] = [
  { names: ['CTRL'], read: 'plain', write: ALL - CTRL.rst },
  { names: ['STATUS', 'MANC', 'TORL', 'TOTL'], read: 'plain' },
  { names: ['EECD'], read: 'EECD', write: 'EECD' },
  { names: ['EERD'], read: 'EERD', write: ALL },
  { names: ['MDIC'], read: 'plain', write: 'MDIC' },
  { names: ['ICR'], read: 'ICR', write: 'ICR' },
  { names: ['ICS'], read: 'plain', write: 'ICS' },
  { names: ['IMS'], read: 'plain', write: 'IMS' },
  { names: ['IMC'], write: 'IMC' },
  { names: ['TCTL'], read: 'plain', write: 'TCTL' },
  { names: ['TDT'], read: 'plain', write: 'TDT' },
  { names: ['PBA', 'SWSM', 'WUFC', 'TDBAL', 'TDBAH', 'TXDCTL', 'RDBAL', 'RDBAH'], read: 'plain', write: ALL },
  { names: ['LEDCTL', 'VET', 'RCTL'], read: 'plain', write: ALL },
  { names: ['TDLEN', 'RDLEN'], read: 'plain', write: RING_LENGTH },
  { names: ['TDH', 'RDH', 'RDT'], read: 'plain', write: 0xffff },
  { names: ['RDTR', 'RADV', 'TADV', 'ITR'], read: 'plain', write: DELAY, needs: 'mitigation' },
  { names: ['FCRUC', 'IPAV', 'WUC', 'WUS'], read: 'plain', write: ALL, ...EXTRA },
  { names: ['AIT'], read: 0xffff, write: ALL, ...EXTRA },
  { names: ['RDFH', 'RDFT', 'RDFHS', 'RDFTS', 'RDFPC', 'TDFHS', 'TDFTS', 'TDFPC'], read: 0x1fff, write: ALL, ...EXTRA },
  { names: ['TDFH', 'TDFT'], read: 0x7ff, write: ALL, ...EXTRA },
  // Errors of the wire, which has none.
  { names: ['CRCERRS'], count: 5, read: 'plain' },
  { names: ['SCC', 'ECOL', 'MCC', 'LATECOL', 'COLC', 'DC', 'TNCRS', 'SEQEC', 'CEXTERR', 'RLEC'], ...STATISTIC },
  { names: ['XONRXC', 'XONTXC', 'XOFFRXC', 'XOFFTXC', 'RFC', 'RJC', 'RNBC', 'TSCTFC'], ...STATISTIC },
  { names: ['MGTPRC', 'MGTPDC', 'MGTPTC', 'GORCL', 'GOTCL'], ...STATISTIC },
  { names: ['TOTH', 'TORH'], read: 'clear pair' },
  { names: ['GOTCH', 'GORCH'], read: 'clear pair', ...EXTRA },
  { names: ['GPRC', 'GPTC', 'TPT', 'TPR'], read: 'clear' },
  { names: ['PRC64', 'PRC127', 'PRC255', 'PRC511', 'PRC1023', 'PRC1522'], read: 'clear', ...EXTRA },
  { names: ['PTC64', 'PTC127', 'PTC255', 'PTC511', 'PTC1023', 'PTC1522'], read: 'clear', ...EXTRA },
  { names: ['RUC', 'ROC', 'BPRC', 'MPRC', 'TSCTC', 'BPTC', 'MPTC'], read: 'clear', ...EXTRA },
  { names: ['RA'], count: 2 * ADDRESSES, read: 'plain', write: ALL },
  { names: ['MTA', 'VFTA'], count: 128, read: 'plain', write: ALL },
  { names: ['IP6AT'], count: 4, read: 'plain', write: ALL, ...EXTRA },
  { names: ['IP4AT'], count: 7, read: 'plain', write: ALL, ...EXTRA },
  { names: ['WUPM'], count: 32, read: 'plain', write: ALL, ...EXTRA },
  { names: ['FFLT'], count: 7, read: 0x7ff, write: ALL, ...EXTRA },
  { names: ['FFMT'], count: 255, read: 0xf, write: ALL, ...EXTRA },
  { names: ['FFVT'], count: 255, read: 'plain', write: ALL, ...EXTRA },
  { names: ['PBM'], count: 16_384, read: 'plain', write: ALL, ...EXTRA },
];

/** As in QEMU what a register needs holds for the first of an array alone. */
function accessTable(): ReadonlyMap<number, Access> {
  const table = new Map<number, Access>();
  for (const { names, count = 1, needs, ...access } of ROWS) {
    for (const name of names) {
      table.set(R[name], needs === undefined ? access : { ...access, needs });
      for (let at = 1; at < count; at++) table.set(R[name] + 4 * at, access);
    }
  }
  return table;
}

/** How registers are read and written, by their places: many, and few machines have the card. */
let known: ReadonlyMap<number, Access> | undefined;

const NONE: Access = {};

/** What an access of a register does, where these properties are on. */
export function accessOf(offset: number, has: Readonly<Record<Needed, boolean>>): Access {
  known ??= accessTable();
  const access = known.get(offset) ?? NONE;
  return access.needs === undefined || has[access.needs] ? access : NONE;
}

/** Registers that are not zero at reset. */
export const AT_RESET: readonly (readonly [offset: number, value: number])[] = [
  [R.CTRL, 0x0014_0240],
  [R.STATUS, 0x8008_0783],
  [R.LEDCTL, 0x602],
  [R.PBA, 0x0010_0030],
  [R.MANC, 0x0022_2300],
];
