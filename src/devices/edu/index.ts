import { msi, pciDriver } from '../pci/index.ts';
import { uint64 } from '../properties.ts';
import { expireEdu, readEdu, writeEdu } from './decide.ts';
import { EDU_REDUCER } from './evolve.ts';
import { BUFFER } from './registers.ts';
import { type EduRegisters, type EduSetup, FACTORIAL, TRANSFER } from './state.ts';

export type { EduRegisters, EduSetup, EduState } from './state.ts';

/** QEMU's device for those who learn to write drivers: it computes factorials, and moves bytes by DMA. */
export const driver = pciDriver<EduRegisters, EduSetup>({
  name: 'edu',
  description: 'Computes factorials, moves bytes by DMA',
  category: 'Misc',
  properties: { dma_mask: uint64(0xfff_ffff, 'Bits an address of RAM may have') },
  identity: { vendorId: 0x1234, deviceId: 0x11e8, revision: 0x10, classCode: 0x00_ff_00, interruptPin: 1 },
  bars: [{ index: 0, region: 0, space: 'memory', size: 2 ** 20 }],
  regions: [{ name: 'edu-mmio', space: 'memory', length: 2 ** 20, minAccess: 4, maxAccess: 8, leastAccess: 4 }],
  capabilities: [msi({ vectors: 1 })],
  create: (setup) => ({
    timers: [FACTORIAL, TRANSFER],
    read: (edu, _region, offset, size) => readEdu(edu, offset, size),
    write: (edu, _region, offset, size, _value, effects) => writeEdu(edu, offset, size, effects),
    expire: (edu, timer, effects) => expireEdu(setup, edu, timer, effects),
    describe: (edu) => ({
      factorial: `${edu.factorial}`,
      status: `0x${edu.status.toString(16)}`,
      interrupts: `0x${edu.interruptStatus.toString(16)}`,
      dma: Object.entries(edu.dma)
        .map(([name, value]) => `${name} 0x${value.toString(16)}`)
        .join(' '),
    }),
  }),
  atReset: () => ({
    liveness: 0,
    factorial: 0,
    status: 0,
    interruptStatus: 0,
    dma: { source: 0, destination: 0, count: 0, command: 0 },
    buffer: new Array<number>(BUFFER.size).fill(0),
  }),
  reducer: EDU_REDUCER,
});
