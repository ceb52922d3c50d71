import { createEngine, type EngineOptions, type GuestEngine } from '../../src/engine/index.ts';
import { instantiate } from '../../src/host/wasm.ts';
import { type ExecutionControls, NO_CONTROLS } from '../../src/x86/guest.ts';

/** Guest memory of a small 64-bit guest: the first 2 MiB above `LINEAR` by 4 KiB pages, one after the other. */
export const LINEAR = 0x40_0000_0000n;
/** Offsets of its parts. */
export const AT = {
  stack: 0xf00,
  code: 0xf80,
  data: 0x10000,
  handlers: 0x3000,
  tss: 0x4000,
  pml4: 0x100000,
  pdpt: 0x101000,
  pd: 0x102000,
  pt: 0x103000,
  gdt: 0x104000,
  idt: 0x105000,
} as const;
export const SLOT_BYTES = 0x200000;

/** HLT exits, and so does any VMCALL. */
export const HLT_EXITS: ExecutionControls = { ...NO_CONTROLS, primary: 1 << 7 };
export const NO_EVENT = { info: 0, errorCode: 0, length: 0 };
/** HLT's exit reason. */
export const HLT = 12;

/** An engine with the usual small things of a test. */
export function engineWith(options: Partial<EngineOptions> & { readonly hostBytes: number }): GuestEngine {
  return createEngine({
    instantiate,
    hostTsc: () => 0n,
    tscPerTick: 16,
    random: () => 7n,
    ...options,
  });
}

/** Put 64 bits into guest memory. */
export function putQuad(engine: GuestEngine, at: number, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  engine.writeHost(at, bytes);
}

export function quadOf(engine: GuestEngine, at: number): bigint {
  const bytes = engine.readHost(at, 8);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

/** Descriptor tables and page tables in the slot at `base`; every exception comes to a HLT of its own. */
export function putTables(engine: GuestEngine, base: number): void {
  const entry = (at: number, to: number): void => putQuad(engine, base + at, BigInt(base + to) | 7n);
  entry(AT.pml4, AT.pdpt);
  putQuad(engine, base + AT.pdpt + 8 * Number((LINEAR >> 30n) & 511n), BigInt(base + AT.pd) | 7n);
  entry(AT.pd, AT.pt);
  for (let page = 0; page < 512; page++) entry(AT.pt + 8 * page, page * 4096);
  putQuad(engine, base + AT.gdt + 8, 0x00af9b000000ffffn);
  putQuad(engine, base + AT.gdt + 16, 0x00cf93000000ffffn);
  for (let vector = 0; vector < 32; vector++) putGate(engine, base, vector, AT.handlers + vector);
  engine.writeHost(base + AT.handlers, new Uint8Array(32).fill(0xf4));
}

/** An interrupt gate that leads to `offset` of the slot. */
export function putGate(engine: GuestEngine, base: number, vector: number, offset: number): void {
  const handler = LINEAR + BigInt(offset);
  const low = (handler & 0xffffn) | (8n << 16n) | (0x8en << 40n) | (((handler >> 16n) & 0xffffn) << 48n);
  putQuad(engine, base + AT.idt + 16 * vector, low);
  putQuad(engine, base + AT.idt + 16 * vector + 8, handler >> 32n);
}

/** A vCPU about to run 64-bit `code` in the slot at `base`. */
export function enterLongMode(engine: GuestEngine, base: number, code: readonly number[], vcpu = 0): void {
  engine.setControls(vcpu, HLT_EXITS);
  engine.writeHost(base + AT.code, Uint8Array.from(code));
  const r = engine.registers(vcpu);
  r.gdtr = { base: LINEAR + BigInt(AT.gdt), limit: 0x17 };
  r.idtr = { base: LINEAR + BigInt(AT.idt), limit: 0xfff };
  r.setSegment(1, { selector: 8, base: 0n, limit: 0xffffffff, access: 0xa09b });
  for (const segment of [0, 2, 3, 4, 5]) {
    r.setSegment(segment, { selector: 16, base: 0n, limit: 0xffffffff, access: 0xc093 });
  }
  r.cr4 = 0x620n;
  r.cr3 = BigInt(base + AT.pml4);
  r.efer = 0xd01n;
  r.cr0 = 0x80010033n;
  r.setGpr(4, LINEAR + BigInt(AT.stack));
  r.rip = LINEAR + BigInt(AT.code);
  r.rflags = 2n;
}

/** All general registers, RIP and RFLAGS. */
export function registersOf(engine: GuestEngine, vcpu = 0): readonly bigint[] {
  const r = engine.registers(vcpu);
  return [...Array.from({ length: 16 }, (_, index) => r.gpr(index)), r.rip, r.rflags];
}

/** Flat 32-bit segments; code up to `limit`. */
export function putFlatSegments(engine: GuestEngine, vcpu = 0, limit = 0xffffffff): void {
  const r = engine.registers(vcpu);
  r.setSegment(1, { selector: 8, base: 0n, limit, access: 0xc09b });
  for (const segment of [0, 2, 3, 4, 5]) {
    r.setSegment(segment, { selector: 16, base: 0n, limit: 0xffffffff, access: 0xc093 });
  }
}
