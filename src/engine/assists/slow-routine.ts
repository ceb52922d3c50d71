/** What a slow vector operation works on: the operands a handler left in scratch. */
export interface SlowContext {
  readonly view: DataView;
  /** MXCSR before, and with the new flags after. */
  mxcsr: number;
  readonly immediate: number;
  /** An unmasked exception was found: the destination stays. */
  faults: boolean;
}

export type SlowRoutine = (context: SlowContext) => void;
