import { configAtReset, type PciFunctionState } from '../pci/index.ts';

/** The ISA bridge: interrupt routing and the reset control register. */
export interface Piix3State extends PciFunctionState {
  /** For each PIRQ the slots that assert it, one bit per slot. */
  asserted: number[];
  /** Reset control, port 0xcf9: bit 1 stays. */
  resetControl: number;
}

/** PIRQ route control, one register for each of PIRQA-PIRQD. */
export const PIRQ_ROUTE = 0x60;

/** Device-specific registers after reset. 82371SB data sheet, 2.2; values as QEMU sets them. */
export const PIIX3_REGISTERS: Readonly<Record<number, number>> = {
  76: 0x4d,
  78: 0x03,
  96: 0x80,
  97: 0x80,
  98: 0x80,
  99: 0x80,
  105: 0x02,
  112: 0x80,
  118: 0x0c,
  119: 0x0c,
  120: 0x02,
  160: 0x08,
  168: 0x0f,
};

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
