import { ACCESS } from './builder.ts';

/** A range of linear addresses a debugger watches, whatever the address space. */
export interface Watchpoint {
  readonly address: bigint;
  readonly length: number;
  readonly on: 'write' | 'read' | 'access';
}

/** Why a debugger stopped a run: before the instruction at a breakpoint, or after one that touched a watched range. */
export type StopHit =
  | { readonly kind: 'break'; readonly vcpu: number; readonly address: bigint }
  | { readonly kind: 'watch'; readonly vcpu: number; readonly watchpoint: Watchpoint };

const NONE: readonly Watchpoint[] = [];

/**
 * What a debugger outside the guest waits for. None of it is state: it changes neither memory nor ticks, and a stop
 * leaves the VM entry open. Instructions at page offsets that hold a breakpoint are decoded behind a check; pages that
 * hold a watchpoint are never in the TLB.
 */
export class DebuggerStops {
  watchpoints: readonly Watchpoint[] = NONE;
  /** vCPU whose registers are in the block. */
  vcpu = 0;
  /** The next run does not stop at the instruction it begins with. */
  passes = false;
  private breakpoints: ReadonlySet<bigint> = new Set();
  private found: StopHit | undefined;
  private readonly onChange: (offsets: readonly number[]) => void;

  /** `onChange` hears of page offsets that hold breakpoints, and that watchpoints may have changed. */
  constructor(onChange: (offsets: readonly number[]) => void) {
    this.onChange = onChange;
  }

  /** Wait for these from now on. */
  arm(breakpoints: readonly bigint[], watchpoints: readonly Watchpoint[]): void {
    this.breakpoints = new Set(breakpoints);
    this.watchpoints = watchpoints;
    this.found = undefined;
    this.passes = false;
    this.onChange(breakpoints.map((address) => Number(address & 0xfffn)));
  }

  disarm(): void {
    this.arm([], NONE);
  }

  /** What was hit since the last call. */
  take(): StopHit | undefined {
    const { found } = this;
    this.found = undefined;
    return found;
  }

  /** A hit waits for its run to be left. */
  get isHit(): boolean {
    return this.found !== undefined;
  }

  /** Whether to stop before the instruction at a linear address. */
  breaksAt(address: bigint): boolean {
    if (!this.breakpoints.has(address)) return false;
    this.found = { kind: 'break', vcpu: this.vcpu, address };
    return true;
  }

  /** Data is being accessed. True: a watchpoint is hit, and the run is to end after this instruction. */
  notice(linear: bigint, size: number, access: number): boolean {
    if (access === ACCESS.execute) return false;
    for (const watchpoint of this.watchpoints) {
      const { address, length, on } = watchpoint;
      const isMeant = on === 'access' || (on === 'read' ? access !== ACCESS.write : access !== ACCESS.read);
      if (!isMeant || linear >= address + BigInt(length) || address >= linear + BigInt(size)) continue;
      this.found ??= { kind: 'watch', vcpu: this.vcpu, watchpoint };
      return true;
    }
    return false;
  }

  /** The instruction at hand did not retire: what it touched counts when it is executed again. */
  drop(): void {
    this.found = undefined;
  }

  /** Pages of the watched ranges, as the MMU numbers them. */
  pages(): number[] {
    const pages: number[] = [];
    for (const { address, length } of this.watchpoints) {
      const last = (address + BigInt(Math.max(1, length)) - 1n) >> 12n;
      for (let page = address >> 12n; page <= last; page += 1n) pages.push(Number(page & 0xffff_ffffn));
    }
    return pages;
  }
}
