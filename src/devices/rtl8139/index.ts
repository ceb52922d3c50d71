import { octetsText } from '../../base/bytes.ts';
import { type PciBar, shapedPciDriver } from '../pci/index.ts';
import { macAddress, netdevId } from '../properties.ts';
import { readRegister, type Width } from './access.ts';
import { expireTimer, receivePacket, reset, setLink, writeRegister } from './decide.ts';
import { MEMORY_BAR } from './dma.ts';
import { rtl8139Reducer } from './evolve.ts';
import { canReceive } from './receive.ts';
import { BMSR, R, REVISION, WINDOW_BYTES } from './registers.ts';
import {
  addressOf,
  atPowerOn,
  macBytes,
  registerOf,
  type Rtl8139Registers,
  type Rtl8139Setup,
  TIMERS,
} from './state.ts';

export type { Rtl8139Registers, Rtl8139Setup, Rtl8139State } from './state.ts';

const PORT_BAR: PciBar = { index: 0, region: 0, space: 'io', size: WINDOW_BYTES };

/** It has no list of capabilities, but QEMU says where one would begin. */
const CAPABILITIES = [0x34, 0xdc] as const;

const hex = (value: number): string => `0x${value.toString(16)}`;

/** Realtek's RTL8139C+, a controller of 100 megabits, as QEMU 7.2 has it. */
export const driver = shapedPciDriver<Rtl8139Registers, Rtl8139Setup>({
  name: 'rtl8139',
  romfile: 'efi-rtl8139.rom',
  category: 'Network',
  properties: { mac: macAddress, netdev: netdevId },
  shape: () => ({
    identity: {
      ...{ vendorId: 0x10ec, deviceId: 0x8139, revision: REVISION, classCode: 0x02_00_00, interruptPin: 1 },
      bytes: [CAPABILITIES],
    },
    bars: [PORT_BAR, MEMORY_BAR],
    // QEMU has one region, and shows it in both BARs.
    regions: [
      { name: 'rtl8139', space: 'io', length: WINDOW_BYTES, minAccess: 1, maxAccess: 4 },
      { name: 'rtl8139', space: 'memory', length: WINDOW_BYTES, minAccess: 1, maxAccess: 4 },
    ],
  }),
  create: (setup) => ({
    timers: TIMERS,
    mac: macBytes(setup),
    read: (nic, _region, offset, size, { now }) => readRegister(nic, { offset, size: size as Width }, now),
    write: (nic, _region, offset, size, value, effects) => writeRegister(nic, { offset, size, value }, effects),
    expire: expireTimer,
    canReceive,
    receivePacket,
    linkSet: setLink,
    reset: (_nic, effects) => reset(effects),
    describe: (nic) => ({
      mac: octetsText(Uint8Array.from(addressOf(nic))),
      link: (registerOf(nic, R.BMSR) & BMSR.linkUp) !== 0 ? 'up' : 'down',
      interrupts: `${hex(registerOf(nic, R.ISR))} of ${hex(registerOf(nic, R.IMR))}`,
      receive: `ring ${nic.ring.read} to ${nic.ring.write} of ${nic.ring.size}, descriptor ${nic.rxDescriptor}`,
      transmit: `slot ${nic.slot}, descriptor ${nic.txDescriptor}`,
    }),
  }),
  atReset: atPowerOn,
  reducerOf: rtl8139Reducer,
});
