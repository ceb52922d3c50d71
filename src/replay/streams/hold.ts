/** A run is kept where it is while anybody has one of these. */
export interface Hold {
  /** Let go. Again: nothing. */
  release(): void;
}

/** Where a run passes; it stands while somebody holds it. */
export class Gate {
  private readonly holders = new Set<Hold>();
  private readonly waiting: (() => void)[] = [];

  get isHeld(): boolean {
    return this.holders.size > 0;
  }

  hold(): Hold {
    const hold = { release: () => this.release(hold) };
    this.holders.add(hold);
    return hold;
  }

  /** Call once nobody holds the run: now, or when the last one lets go. */
  whenOpen(pass: () => void): void {
    if (this.isHeld) this.waiting.push(pass);
    else pass();
  }

  private release(hold: Hold): void {
    if (!this.holders.delete(hold) || this.isHeld) return;
    for (const pass of this.waiting.splice(0)) pass();
  }
}
