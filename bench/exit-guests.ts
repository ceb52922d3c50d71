/** Guests that do nothing but exit, of one kind each: Multiboot kernels of a few bytes. */

/** A doubleword, little-endian. */
const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** OUT of a byte to a port. */
const out = (port: number, byte: number): number[] => [...atPort(port), 0xb0, byte, 0xee];
/** MOV DX, port. */
const atPort = (port: number): number[] => [0x66, 0xba, port & 0xff, port >> 8];
/** MOV ECX, index. */
const ofMsr = (index: number): number[] => [0xb9, ...dword(index)];
/** EAX and EDX are zero. */
const ZERO = [0x31, 0xc0, 0x31, 0xd2];
const [CPUID, RDMSR, WRMSR] = [
  [0x0f, 0xa2],
  [0x0f, 0x32],
  [0x0f, 0x30],
];

const APIC_BASE = 0x1b;
const TSC_ADJUST = 0x3b;
const X2APIC_EOI = 0x80b;
/** Global enable and x2APIC mode. SDM Vol. 3, 11.12.1. */
const X2APIC = 0xc00;
const [UART, LCR, IER, MCR] = [0x3f8, 0x3fb, 0x3f9, 0x3fc];
const PM_TIMER = 0x608;

/** What is executed once, and what over and over. */
interface Code {
  readonly before: readonly number[];
  readonly again: readonly number[];
}

const KINDS: Readonly<Record<string, Code>> = {
  CPUID: { before: [], again: [0x31, 0xc0, ...CPUID] },
  RDMSR: { before: ofMsr(APIC_BASE), again: RDMSR },
  WRMSR: { before: [...ZERO, ...ofMsr(TSC_ADJUST)], again: WRMSR },
  // OR EAX, x2APIC.
  EOI: {
    before: [...ofMsr(APIC_BASE), ...RDMSR, 0x0d, ...dword(X2APIC), ...WRMSR, ...ofMsr(X2APIC_EOI), ...ZERO],
    again: WRMSR,
  },
  'OUT to the PIC, in the kernel': { before: [0xb0, 0xff], again: [0xe6, 0x21] },
  'IN from the PM timer, in user space': { before: atPort(PM_TIMER), again: [0xed] },
  'OUT to a UART with its interrupt, in user space': {
    before: [...out(LCR, 3), ...out(IER, 2), ...out(MCR, 8), ...out(UART, 0x2e)],
    again: [0xee],
  },
};

const MAGIC = 0x1bad_b002;
/** The header says where the kernel goes. Multiboot Specification 0.6.96, 3.1.3. */
const HAS_ADDRESSES = 0x1_0000;
const LOADED_AT = 0x10_0000;
const HEADER = 32;

/** A kernel image of each kind, by its name. */
export function exitGuests(): readonly (readonly [name: string, image: Uint8Array])[] {
  return Object.entries(KINDS).map(([name, { before, again }]) => {
    const code = [...before, ...again, 0xeb, -(again.length + 2) & 0xff];
    const end = LOADED_AT + HEADER + code.length;
    const checksum = -(MAGIC + HAS_ADDRESSES);
    const header = [MAGIC, HAS_ADDRESSES, checksum, LOADED_AT, LOADED_AT, end, end, LOADED_AT + HEADER];
    return [name, Uint8Array.from([...header.flatMap(dword), ...code])];
  });
}
