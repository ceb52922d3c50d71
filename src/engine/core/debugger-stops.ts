import { ACCESS, type Writer } from '../mmu/access.ts';

/** Where an address is meant: through the guest's page tables, or in host memory, whatever leads there. */
export type AddressSpace = 'linear' | 'host';

/** An instruction a debugger stops before. A bare address is linear, in any address space of the guest. */
export interface Breakpoint {
  readonly address: bigint;
  readonly space?: AddressSpace;
  /** Only while CR3 points to this page. */
  readonly cr3?: bigint;
}

/** A range of addresses a debugger watches. */
export interface Watchpoint {
  readonly address: bigint;
  readonly length: number;
  readonly on: 'write' | 'read' | 'access';
  readonly space?: AddressSpace;
  readonly cr3?: bigint;
  /** Looks at the range where it is hit, before the access is carried out. */
  read?(): bigint;
}

/** A register a debugger waits to change. `read` looks at it where the processor stands. */
export interface WatchedValue {
  readonly vcpu: number;
  /** Only routines in TypeScript, event delivery and KVM change it: other instructions need not be looked at singly. */
  readonly isSystem: boolean;
  read(): bigint;
}

/** An MSR whose RDMSR or WRMSR a debugger waits for. Those that exit are told by `kvm_msr`. */
export interface WatchedMsr {
  readonly index: number;
  readonly on: 'write' | 'read' | 'access';
}

/** Everything a debugger waits for. */
export interface WantedStops {
  readonly breakpoints?: readonly (bigint | Breakpoint)[];
  readonly watchpoints?: readonly Watchpoint[];
  readonly values?: readonly WatchedValue[];
  readonly msrs?: readonly WatchedMsr[];
}

/** Told of every write to a page that is followed, before it is carried out, `ticks` into the run under way. */
export type OnWrite = (host: number, bytes: Uint8Array, by: Writer, ticks: number) => void;

/** Why a debugger stopped a run: before the instruction at a breakpoint, or after one that did what was waited for. */
export type StopHit =
  | { readonly kind: 'break'; readonly vcpu: number; readonly address: bigint; readonly breakpoint: Breakpoint }
  | {
      readonly kind: 'watch';
      readonly vcpu: number;
      readonly watchpoint: Watchpoint;
      readonly by: Writer;
      /** What `read` of the watchpoint said. */
      readonly before: bigint | undefined;
    };

/** The same for all that `waitFor` waits for. */
export type AnyHit =
  | StopHit
  | { readonly kind: 'value'; readonly vcpu: number; readonly value: WatchedValue; readonly before: bigint }
  | { readonly kind: 'msr'; readonly vcpu: number; readonly msr: WatchedMsr; readonly write: boolean };

const PAGE = 4096n;
const FRAME = ~0xfffn;

function byAddress(breakpoints: readonly Breakpoint[]): Map<bigint, Breakpoint[]> {
  const found = new Map<bigint, Breakpoint[]>();
  for (const each of breakpoints) found.set(each.address, [...(found.get(each.address) ?? []), each]);
  return found;
}

/** What the debugger's wishes ask of the processor. */
export interface StopsClient {
  /** Page offsets that hold breakpoints; watched ranges may have changed. */
  changed(offsets: readonly number[]): void;
  cr3(): bigint;
}

/**
 * What a debugger outside the guest waits for. None of it is state: it changes neither memory nor ticks, and a stop
 * leaves the VM entry open. Instructions at page offsets that hold a breakpoint are decoded behind a check; pages that
 * hold a watchpoint are never in the TLB; while a general register is watched, every instruction is a slice of its own.
 */
export class DebuggerStops {
  watchpoints: readonly Watchpoint[] = [];
  /** vCPU whose registers are in the block. */
  vcpu = 0;
  /** The next run does not stop at the instruction it begins with. */
  passes = false;
  values: readonly WatchedValue[] | undefined;
  /** A watched register can change at any instruction. */
  steps = false;
  msrs: readonly WatchedMsr[] | undefined;
  /** Hears of writes to the pages `follow` names. */
  private onWrite: OnWrite | undefined;
  private followedPages: readonly number[] = [];
  private breakpoints: ReadonlyMap<bigint, readonly Breakpoint[]> = new Map();
  private hostBreakpoints: readonly Breakpoint[] = [];
  private last: bigint[] = [];
  /** Hits nobody has taken yet, in order. */
  private found: AnyHit[] = [];
  private readonly client: StopsClient;

  constructor(client: StopsClient) {
    this.client = client;
  }

  /** Wait for these from now on. */
  arm(breakpoints: readonly (bigint | Breakpoint)[], watchpoints: readonly Watchpoint[]): void {
    this.waitFor({ breakpoints, watchpoints });
  }

  /** Wait for these from now on, and for nothing else. */
  waitFor({ breakpoints = [], watchpoints = [], values = [], msrs = [] }: WantedStops): void {
    const all = breakpoints.map((each) => (typeof each === 'bigint' ? { address: each } : each));
    this.breakpoints = byAddress(all.filter(({ space }) => space !== 'host'));
    this.hostBreakpoints = all.filter(({ space }) => space === 'host');
    this.watchpoints = watchpoints;
    this.values = values.length === 0 ? undefined : values;
    this.steps = values.some(({ isSystem }) => !isSystem);
    this.msrs = msrs.length === 0 ? undefined : msrs;
    this.last = [];
    this.found = [];
    this.passes = false;
    this.client.changed(all.map(({ address }) => Number(address & 0xfffn)));
    // What is there now is what changes are changes of.
    for (const [at, value] of values.entries()) this.last[at] = value.read();
  }

  disarm(): void {
    this.waitFor({});
  }

  /** Hear of every write to these pages of host memory, by number; of none, when `onWrite` is absent. */
  follow(pages: readonly number[], onWrite: OnWrite | undefined): void {
    this.onWrite = onWrite;
    this.followedPages = onWrite === undefined ? [] : pages;
    this.client.changed([]);
  }

  /** What was hit since the last call, of what `arm` waits for. */
  take(): StopHit | undefined {
    const [first] = this.takeAll();
    return first?.kind === 'break' || first?.kind === 'watch' ? first : undefined;
  }

  /** Everything that was hit since the last call: one instruction can do several things that are waited for. */
  takeAll(): readonly AnyHit[] {
    const { found } = this;
    if (found.length > 0) this.found = [];
    return found;
  }

  /** A hit waits for its run to be left. */
  get isHit(): boolean {
    return this.found.length > 0;
  }

  /** Whether to stop before the instruction at a linear address, whose first byte lies at `host`. */
  breaksAt(address: bigint, host: number): boolean {
    const isHere = ({ cr3 }: Breakpoint): boolean => this.isInSpace(cr3);
    let breakpoint = this.breakpoints.get(address)?.find(isHere);
    if (breakpoint === undefined && this.hostBreakpoints.length > 0) {
      breakpoint = this.hostBreakpoints.find((each) => each.address === BigInt(host) && isHere(each));
    }
    if (breakpoint === undefined) return false;
    this.found.push({ kind: 'break', vcpu: this.vcpu, address, breakpoint });
    return true;
  }

  private isInSpace(cr3: bigint | undefined): boolean {
    return cr3 === undefined || (cr3 & FRAME) === (this.client.cr3() & FRAME);
  }

  /** Data is being accessed. True: a watchpoint is hit, and the run is to end after this instruction. */
  notice(linear: bigint, size: number, access: number): boolean {
    if (access === ACCESS.execute) return false;
    return this.noticeIn('linear', linear, size, access, 'instruction');
  }

  /** Data in host memory is being read, or read and written, by an instruction. */
  noticeRead(host: number, size: number, access: number): boolean {
    if (access === ACCESS.write || access === ACCESS.execute) return false;
    return this.noticeIn('host', BigInt(host), size, ACCESS.read, 'instruction');
  }

  /** Host memory is about to be written. True: the run is to end after this instruction. */
  noticeWrite(host: number, bytes: Uint8Array, by: Writer, ticks: number): boolean {
    this.onWrite?.(host, bytes, by, ticks);
    return this.noticeIn('host', BigInt(host), bytes.length, ACCESS.write, by);
  }

  private noticeIn(where: AddressSpace, at: bigint, size: number, access: number, by: Writer): boolean {
    let isHit = false;
    for (const watchpoint of this.watchpoints) {
      const { address, length, on, space = 'linear', cr3 } = watchpoint;
      const isMeant = on === 'access' || (on === 'read' ? access !== ACCESS.write : access !== ACCESS.read);
      if (!isMeant || space !== where || at >= address + BigInt(length) || address >= at + BigInt(size)) continue;
      if (!this.isInSpace(cr3)) continue;
      isHit = true;
      const isKnown = this.found.some((hit) => hit.kind === 'watch' && hit.watchpoint === watchpoint);
      if (!isKnown) this.found.push({ kind: 'watch', vcpu: this.vcpu, watchpoint, by, before: watchpoint.read?.() });
    }
    return isHit;
  }

  /** An MSR is read or written without a VM exit. True: the run is to end after this instruction. */
  noticeMsr(index: number, write: boolean): boolean {
    const msr = this.msrs?.find(
      (each) => each.index === index && (each.on === 'access' || (each.on === 'write') === write),
    );
    if (msr === undefined) return false;
    this.found.push({ kind: 'msr', vcpu: this.vcpu, msr, write });
    return true;
  }

  /** Compare the watched registers with what they were. */
  compareValues(): void {
    for (const [at, value] of (this.values ?? []).entries()) {
      if (value.vcpu !== this.vcpu) continue;
      const now = value.read();
      const before = this.last[at]!;
      if (now === before) continue;
      this.last[at] = now;
      this.found.push({ kind: 'value', vcpu: this.vcpu, value, before });
    }
  }

  /** The instruction at hand did not retire: what it touched counts when it is executed again. */
  drop(): void {
    if (this.found.length === 0) return;
    this.found = this.found.filter((hit) => hit.kind === 'watch' && hit.by !== 'instruction');
  }

  /** Linear pages of the watched ranges, as the MMU numbers them. */
  pages(): number[] {
    return this.pagesIn('linear').map((page) => Number(page & 0xffff_ffffn));
  }

  /** Pages of host memory that hold watched or followed bytes. */
  hostPages(): { readonly read: readonly number[]; readonly written: readonly number[] } {
    const watched = this.pagesIn('host').map(Number);
    return { read: watched, written: [...watched, ...this.followedPages] };
  }

  private pagesIn(where: AddressSpace): bigint[] {
    const pages: bigint[] = [];
    for (const { address, length, space = 'linear' } of this.watchpoints) {
      if (space !== where) continue;
      const last = (address + BigInt(Math.max(1, length)) - 1n) / PAGE;
      for (let page = address / PAGE; page <= last; page += 1n) pages.push(page);
    }
    return pages;
  }
}
