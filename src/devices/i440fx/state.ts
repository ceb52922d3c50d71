import { configAtReset, type PciFunctionState } from '../pci/index.ts';

/** The host bridge at 00:00.0 with CONFIG_ADDRESS. */
export interface I440fxState extends PciFunctionState {
  /** Port 0xcf8. */
  readonly configAddress: number;
}

/** How the machine sets the bridge up. */
export interface I440fxOptions {
  readonly ramBytes: number;
}

/** The region of CONFIG_ADDRESS: it takes whole doublewords only. */
export const CONFIG_ADDRESS = 0;

/** 82441FX (PMC) at power-on: PAM closed, SMRAM register 2, and the row boundary QEMU leaves for nobody. */
export function i440fxAtReset(options: I440fxOptions): I440fxState {
  const rowBoundary = Math.min(255, Math.floor(options.ramBytes / 2 ** 23));
  const config = configAtReset({
    vendorId: 0x8086,
    deviceId: 0x1237,
    revision: 0x02,
    classCode: 0x06_00_00,
    bytes: [
      [0x57, rowBoundary],
      [0x72, 0x02],
    ],
  });
  return { config, configAddress: 0 };
}
