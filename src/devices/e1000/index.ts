import { octetsText } from '../../base/bytes.ts';
import { shapedPciDriver } from '../pci/index.ts';
import { bool, macAddress, netdevId } from '../properties.ts';
import {
  configWritten,
  expireTimer,
  indicateMac,
  readRegister,
  receivePacket,
  reset,
  setLink,
  writeRegister,
} from './decide.ts';
import { REGISTERS_BAR } from './dma.ts';
import { eepromWords } from './eeprom.ts';
import { e1000Reducer } from './evolve.ts';
import { canReceive, isLinkUp } from './receive.ts';
import { MMIO_BYTES, PORT_BYTES, R } from './registers.ts';
import {
  type E1000Registers,
  type E1000Setup,
  macBytes,
  NO_WIRES,
  registerOf,
  registersAtReset,
  TIMERS,
} from './state.ts';

export type { E1000Registers, E1000Setup, E1000State } from './state.ts';

const REGISTERS = 0;

const hex = (value: number): string => `0x${value.toString(16)}`;

/** The first of its addresses, as a driver may have written it. */
function addressText(nic: E1000Registers): string {
  const [low, high] = [registerOf(nic, R.RA), registerOf(nic, R.RA + 4)];
  const bytes = Array.from({ length: 6 }, (_, at) => ((at < 4 ? low : high) >>> (8 * (at % 4))) & 0xff);
  return octetsText(bytes);
}

/** Intel's 82540EM, a gigabit Ethernet controller, as QEMU 7.2 has it. */
export const driver = shapedPciDriver<E1000Registers, E1000Setup>({
  name: 'e1000',
  description: 'Intel Gigabit Ethernet',
  romfile: 'efi-e1000.rom',
  category: 'Network',
  properties: {
    mac: macAddress,
    netdev: netdevId,
    autonegotiation: bool(true, 'Whether the link is negotiated when a driver asks for that'),
    mitigation: bool(true, 'Whether registers bound the rate of interrupts'),
    extra_mac_registers: bool(true, 'Whether it has the registers QEMU got last'),
    migrate_tso_props: bool(true, 'Of no effect here: nothing migrates'),
    'init-vet': bool(true, 'Whether VET is 0x8100 at reset'),
  },
  shape: () => ({
    identity: { vendorId: 0x8086, deviceId: 0x100e, revision: 3, classCode: 0x02_00_00, interruptPin: 1 },
    bars: [REGISTERS_BAR, { index: 1, region: 1, space: 'io', size: PORT_BYTES }],
    regions: [
      { name: 'e1000-mmio', space: 'memory', length: MMIO_BYTES, minAccess: 4, maxAccess: 4 },
      // QEMU has nothing behind the ports.
      { name: 'e1000-io', space: 'io', length: PORT_BYTES, minAccess: 1, maxAccess: 4 },
    ],
  }),
  create(setup) {
    const controller = { setup, eeprom: eepromWords(setup) };
    return {
      timers: TIMERS,
      mac: macBytes(setup),
      powerOn: (_nic, effects) => indicateMac(setup, effects),
      read: (nic, region, offset, _size, effects) =>
        region === REGISTERS ? readRegister(controller, nic, offset, effects) : 0,
      write(nic, region, offset, _size, value, effects) {
        if (region === REGISTERS) writeRegister(controller, nic, offset, value, effects);
        else effects.commit();
      },
      expire: expireTimer,
      canReceive,
      receivePacket,
      linkSet: (nic, up, effects) => setLink(setup, nic, up, effects),
      configWritten,
      reset: (_nic, effects) => reset(setup, effects),
      describe: (nic) => ({
        mac: addressText(nic),
        link: isLinkUp(nic) ? 'up' : 'down',
        interrupts: `${hex(registerOf(nic, R.ICR))} of ${hex(registerOf(nic, R.IMS))}`,
        receive: `head ${registerOf(nic, R.RDH)} tail ${registerOf(nic, R.RDT)}`,
        transmit: `head ${registerOf(nic, R.TDH)} tail ${registerOf(nic, R.TDT)}`,
      }),
    };
  },
  atReset: (setup) => ({ ...registersAtReset(setup), eeprom: { ...NO_WIRES }, isUnplugged: false }),
  reducerOf: e1000Reducer,
});
