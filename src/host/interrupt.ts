/** Ctrl-C, or a signal that means the same, while something is under way. */
export interface Interrupt {
  /** Whether somebody asked to stop since `clear`. */
  readonly isAsked: boolean;
  /** Somebody asks: a key that a terminal in raw mode makes no signal of. */
  ask(): void;
  clear(): void;
  /** Signals do again what they did. */
  close(): void;
}

/** Hear SIGINT instead of ending by it. */
export function hearInterrupt(): Interrupt {
  let isAsked = false;
  const ask = (): void => {
    isAsked = true;
  };
  process.on('SIGINT', ask);
  return {
    get isAsked() {
      return isAsked;
    },
    ask,
    clear() {
      isAsked = false;
    },
    close: () => void process.off('SIGINT', ask),
  };
}
