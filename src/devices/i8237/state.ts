/** One channel: what software wrote and where the count stands. */
export interface DmaChannel {
  readonly address: number;
  readonly count: number;
  /** Address the channel stands at: loaded when a register's high byte is written. */
  readonly current: number;
  readonly mode: number;
  readonly page: number;
}

/** One of the two controllers. */
export interface DmaController {
  readonly command: number;
  readonly status: number;
  readonly mask: number;
  /** The next byte of a 16-bit register is its high one. */
  readonly flipFlop: boolean;
  readonly channels: readonly DmaChannel[];
}

/** Both DMA controllers. No device asks for DMA, so registers only store. */
export interface DmaState {
  readonly controllers: readonly DmaController[];
}

const controller = (): DmaController => ({
  command: 0,
  status: 0,
  mask: 0xff,
  flipFlop: false,
  channels: Array.from({ length: 4 }, () => ({ address: 0, count: 0, current: 0, mode: 0, page: 0 })),
});

/** After reset every channel is masked. */
export function i8237AtReset(): DmaState {
  return { controllers: [controller(), controller()] };
}
