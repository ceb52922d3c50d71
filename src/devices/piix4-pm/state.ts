import { configAtReset, type PciFunctionState } from '../pci/index.ts';

/** Power management function of the PIIX4. */
export interface Piix4PmState extends PciFunctionState {
  /** False: firmware is told that SMM is set up already, so it leaves it alone. */
  readonly smm: boolean;
  readonly status: number;
  readonly enable: number;
  readonly control: number;
  /** PM timer count at which TMR_STS is set next. */
  readonly overflowCount: number;
  /** General-purpose events: two status bytes, two enable bytes. */
  readonly gpe: readonly number[];
  readonly apmControl: number;
  readonly apmStatus: number;
  /** SMBus host registers, offsets 0-15. No device answers on the bus. */
  readonly smbus: readonly number[];
}

/** How the machine sets the function up. */
export interface Piix4PmOptions {
  readonly smm: boolean;
  /** Which serial ports exist, as registers 0x67 tells. */
  readonly com1?: boolean;
  readonly com2?: boolean;
}

/** 82371AB function 3 at power-on. */
export function piix4PmAtReset(options: Piix4PmOptions): Piix4PmState {
  const serial = (options.com1 ? 0x08 : 0) | (options.com2 ? 0x90 : 0);
  const config = configAtReset({
    vendorId: 0x8086,
    deviceId: 0x7113,
    revision: 0x03,
    classCode: 0x06_80_00,
    status: 0x0280,
    interruptPin: 1,
    bytes: [
      [0x40, 0x01],
      [0x5b, options.smm ? 0 : 0x02],
      [0x5f, 0x10],
      [0x63, 0x60],
      [0x67, serial],
      [0x90, 0x01],
      [0x91, 0xb1],
      [0xd2, 0x09],
    ],
  });
  return {
    config,
    smm: options.smm,
    status: 0,
    enable: 0,
    control: 0,
    overflowCount: 0,
    gpe: [0, 0, 0, 0],
    apmControl: 0,
    apmStatus: 0,
    smbus: new Array<number>(16).fill(0),
  };
}
