import { type ConfigByte, configAtReset, type PciFunctionState } from '../pci/index.ts';

/** The ISA bridge: interrupt routing and the reset control register. */
export interface Piix3State extends PciFunctionState {
  /** For each PIRQ the slots that assert it, one bit per slot. */
  readonly asserted: readonly number[];
  /** Reset control, port 0xcf9: bit 1 stays. */
  readonly resetControl: number;
}

/** Bits of the reset control register. 82371SB data sheet, 2.5.6. */
export const RESET_CONTROL = { hard: 0x02, reset: 0x04 } as const;

/** PIRQ route control, one register for each of PIRQA-PIRQD. */
export const PIRQ_ROUTE = 0x60;

/** Device-specific registers a reset sets. 82371SB data sheet, 2.2; which ones and to what, as QEMU does. */
export const PIIX3_REGISTERS: readonly ConfigByte[] = [
  [0x4c, 0x4d],
  [0x4e, 0x03],
  [0x4f, 0],
  [0x60, 0x80],
  [0x61, 0x80],
  [0x62, 0x80],
  [0x63, 0x80],
  [0x69, 0x02],
  [0x70, 0x80],
  [0x76, 0x0c],
  [0x77, 0x0c],
  [0x78, 0x02],
  [0x79, 0],
  [0x80, 0],
  [0x82, 0],
  [0xa0, 0x08],
  [0xa2, 0],
  [0xa3, 0],
  [0xa4, 0],
  [0xa5, 0],
  [0xa6, 0],
  [0xa7, 0],
  [0xa8, 0x0f],
  [0xaa, 0],
  [0xab, 0],
  [0xac, 0],
  [0xae, 0],
];

/** 82371SB function 0 at power-on. */
export function piix3AtReset(): Piix3State {
  const config = configAtReset({
    vendorId: 0x8086,
    deviceId: 0x7000,
    classCode: 0x06_01_00,
    status: 0x0200,
    multifunction: true,
    bytes: PIIX3_REGISTERS,
  });
  return { config, asserted: [0, 0, 0, 0], resetControl: 0 };
}

/** Whether any slot asserts a PIRQ. */
export const isPirqAsserted = (bridge: Piix3State, pirq: number): boolean => bridge.asserted[pirq] !== 0;
