import type { Condition, MeaningBuilder, Size, V, Variable } from '../emit/builder.ts';
import { parkedWord } from '../emit/parked-flags.ts';
import * as L from '../state/layout.ts';
import type { Width } from '../wasm/function-builder.ts';
import { compared } from './compared.ts';
import { type FlagState, isPending, PARKED, type Pending, STORED, valuesOf } from './flag-state.ts';
import { RegionLocals, Untranslatable } from './region-locals.ts';
import { REGION_FN } from './region-module.ts';

/** The instruction does different things to the flags on different ways through it: it is emitted again, as such. */
export class Forks extends Error {}
/** Flags are asked for that were believed dead. */
export class NotDead extends Error {}

/** What the instruction at hand does first with the flags as they were: leaving the region is a use. */
export type FlagUse = 'none' | 'use' | 'kill';

/** Status flags are worked out when somebody asks for them; until then they are what they follow from. */
export abstract class RegionFlags extends RegionLocals {
  /** In their lazy form, or the two values they follow from: see `kind`. */
  private readonly flagResult: Variable;
  private readonly flagCin: Variable;
  private readonly flagCf: Variable;
  /** What is parked; 0: the flags themselves. */
  private readonly flagKind: Variable;
  private usesFlags = false;
  private writesFlags = false;
  protected flags: FlagState = STORED;
  /** While an instruction forks, flags are in their locals on every way through it. */
  protected isForked = false;
  protected use: FlagUse = 'none';
  /** Where the instruction at hand has not forked yet. */
  protected instructionDepth = 0;

  constructor(view: DataView) {
    super(view);
    this.flagResult = this.variable('i64');
    this.flagCin = this.variable('i64');
    this.flagCf = this.variable('i32');
    this.flagKind = this.variable('i32');
  }

  protected note(use: 'use' | 'kill'): void {
    if (this.use === 'none') this.use = use;
  }
  protected setFlags(state: FlagState): void {
    this.pin(valuesOf(state), 1);
    this.pin(valuesOf(this.flags), -1);
    this.flags = state;
  }
  private known(state: FlagState): void {
    this.note('kill');
    if (this.depth !== this.instructionDepth) throw new Forks();
    this.setFlags(state);
  }
  /** Work the flags out, here and for what follows. */
  protected settle(): void {
    const state = this.flags;
    if (state.kind === 'stored') return;
    this.usesFlags = true;
    if (state.kind === 'dead') throw new NotDead();
    this.setFlags(STORED);
    if (!isPending(state)) this.settleParked();
    else if (state.kind === 'logic') super.logicFlags(state.result, state.size);
    else this.flagsOf(state.a, state.b, state.result, state.size, this.carryOf(state));
    this.set(this.flagKind, this.i32(0));
  }
  private settleParked(): void {
    const kind = this.get(this.flagKind);
    this.if(kind, () => {
      this.callOwn(REGION_FN.settle, [kind, this.get(this.flagResult), this.get(this.flagCin)]);
      this.loadFlags();
    });
  }
  /** Put what the flags follow from where a block expects it, here and for what follows. */
  protected park(): void {
    this.putFlags(this.flags);
    if (isPending(this.flags)) this.setFlags(PARKED);
  }
  /** The same on this way only. */
  protected putFlags(state: FlagState): void {
    this.usesFlags = true;
    if (state.kind === 'dead') throw new NotDead();
    if (!isPending(state)) return;
    this.writesFlags = true;
    const [a, b] = state.kind === 'logic' ? [state.result, this.i64(0)] : [state.a, state.b];
    this.set(this.flagResult, this.extendU(a));
    this.set(this.flagCin, this.extendU(b));
    this.set(this.flagKind, this.i32(parkedWord(state.kind === 'sub', state.size)));
  }
  private carryOf(state: Pending): V {
    if (state.kind === 'logic') return this.i32(0);
    if (state.kind === 'sub') return this.ltU(state.a, state.b);
    if (state.size >= 4) return this.ltU(state.result, state.a);
    return this.and(this.shrU(this.add(state.a, state.b), this.i32(8 * state.size)), this.i32(1));
  }
  /** Before something asks for the flags themselves. */
  private asked(): void {
    this.note('use');
    if (this.flags.kind === 'stored') return;
    if (this.depth !== this.instructionDepth) throw new Forks();
    this.settle();
  }

  // What meanings do with flags.

  override addWithFlags(a: V, b: V, size: Size, carryIn?: V): V {
    if (carryIn !== undefined || this.isForked) return super.addWithFlags(a, b, size, carryIn);
    const result = size < 4 ? this.zeroExtend(this.add(a, b), size as Width) : this.add(a, b);
    this.known({ kind: 'add', a, b, result, size });
    return result;
  }
  override subWithFlags(a: V, b: V, size: Size, borrowIn?: V): V {
    if (borrowIn !== undefined || this.isForked) return super.subWithFlags(a, b, size, borrowIn);
    const result = size < 4 ? this.zeroExtend(this.sub(a, b), size as Width) : this.sub(a, b);
    this.known({ kind: 'sub', a, b, result, size });
    return result;
  }
  override logicFlags(result: V, size: Size): void {
    if (this.isForked) super.logicFlags(result, size);
    else this.known({ kind: 'logic', result, size });
  }
  override setLazyFlags(result: V, cin: V, carry: V): void {
    this.usesFlags = true;
    this.writesFlags = true;
    this.note(this.depth === this.instructionDepth ? 'kill' : 'use');
    if (this.flags.kind !== 'stored') {
      this.known(STORED);
      this.set(this.flagKind, this.i32(0));
    }
    this.set(this.flagResult, result);
    this.set(this.flagCin, cin);
    this.set(this.flagCf, carry);
  }
  override stepFlags(a: V, result: V, size: Size, overflow: V): void {
    const carry = this.carry();
    this.setLazyFlags(this.wide(result, size), this.steppedCin(a, result, size, overflow, carry), carry);
  }
  override carry(): V {
    const { flags } = this;
    this.note('use');
    return isPending(flags) ? this.carryOf(flags) : super.carry();
  }
  override condition(condition: Condition): V {
    this.note('use');
    return compared(this as unknown as MeaningBuilder, condition, this.flags) ?? super.condition(condition);
  }

  // Their words of the register block.

  override state64(address: number): V {
    if (address === L.FLAG_RESULT) return this.flag(this.flagResult);
    if (address === L.FLAG_CIN) return this.flag(this.flagCin);
    return super.state64(address);
  }
  override state32(address: number): V {
    return address === L.FLAG_CF ? this.flag(this.flagCf) : super.state32(address);
  }
  private flag(variable: Variable): V {
    this.asked();
    this.usesFlags = true;
    return this.get(variable);
  }
  override setState64(address: number, value: V): void {
    if (address === L.RIP_PAGE || address === L.RIP) throw new Untranslatable('rip');
    if (address === L.FLAG_RESULT) this.setFlag(this.flagResult, value);
    else if (address === L.FLAG_CIN) this.setFlag(this.flagCin, value);
    else super.setState64(address, value);
  }
  override setState32(address: number, value: V): void {
    if (address === L.FLAG_CF) this.setFlag(this.flagCf, value);
    else super.setState32(address, value);
  }
  private setFlag(variable: Variable, value: V): void {
    this.asked();
    this.usesFlags = true;
    this.writesFlags = true;
    this.set(variable, value);
  }

  // From the register block, and back.

  private loadFlags(): void {
    this.set(this.flagResult, super.state64(L.FLAG_RESULT));
    this.set(this.flagCin, super.state64(L.FLAG_CIN));
    this.set(this.flagCf, super.state32(L.FLAG_CF));
  }
  protected fetchFlags(): void {
    if (this.usesFlags) this.loadFlags();
  }
  protected returnFlags(): void {
    if (!this.writesFlags) return;
    const kind = this.get(this.flagKind);
    this.if(
      kind,
      () => this.callOwn(REGION_FN.settle, [kind, this.get(this.flagResult), this.get(this.flagCin)]),
      () => {
        super.setState64(L.FLAG_RESULT, this.get(this.flagResult));
        super.setState64(L.FLAG_CIN, this.get(this.flagCin));
        super.setState32(L.FLAG_CF, this.get(this.flagCf));
      },
    );
  }
}
