import * as nic from '../nic/station.ts';
import { PLACE } from '../virtio/guest.ts';

export { bytesText, hex, MAC, type Say } from '../nic/station.ts';

/** Where its registers are. */
export const BAR = PLACE.memory;

/** An 82540EM as its driver has it. */
export class Station extends nic.Station {
  constructor(machine: nic.Machine) {
    super(machine, BAR);
  }

  async place(command = 7): Promise<void> {
    await this.config.write(0x10, 4, BAR);
    await this.config.write(0x14, 4, PLACE.io);
    await this.config.write(4, 2, command);
  }
}

export type Scene = nic.Scene<Station>;
