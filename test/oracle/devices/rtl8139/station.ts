import { CAUSE, R } from '../../../../src/devices/rtl8139/registers.ts';
import * as nic from '../nic/station.ts';
import { PLACE } from '../virtio/guest.ts';

export { bytesText, hex, MAC, type Say } from '../nic/station.ts';

export const PORTS = PLACE.io;

/** An RTL8139 as its driver has it. */
export class Station extends nic.Station {
  constructor(machine: nic.Machine) {
    super(machine, PLACE.memory);
  }

  async place(command = 7): Promise<void> {
    await this.config.write(0x10, 4, PORTS);
    await this.config.write(0x14, 4, this.bar);
    await this.config.write(4, 2, command);
  }

  /** Causes there are, which are taken. */
  async causes(): Promise<string> {
    const causes = await this.read(R.ISR, 2);
    await this.write(R.ISR, 0xffff & ~CAUSE.reserved, 2);
    return nic.hex(causes);
  }

  /** The counters, which the chip writes to memory in the C+ mode. */
  async tally(at: number): Promise<string> {
    await this.write(R.TSD + 4, 0);
    await this.write(R.TSD, at | 8);
    const bytes = await this.machine.peek(at, 64);
    return `tally ${nic.hex(await this.read(R.TSD))} ${[...bytes].map((byte) => nic.hex(byte, 2)).join('')}`;
  }
}

export type Scene = nic.Scene<Station>;
