import { fitted } from '../replay/export/event-line.ts';
import { PacketReader, type PacketTold } from '../replay/packets/packet-reader.ts';
import { hexDump, packetJson, packetLine } from '../replay/packets/packet-text.ts';
import type { MachineDescription } from '../runs/machine/machine-description.ts';
import { wiresOf } from '../runs/machine/wires-of.ts';
import type { WhoseLines } from './machines-in.ts';
import type { Print } from './trace-commands.ts';

/** Which packets are printed, and how. */
export interface PacketsForm {
  readonly condition?: string;
  readonly json?: boolean;
  /** The bytes of each, too. */
  readonly hex?: boolean;
  /** Wait for more while the trace is recorded. */
  readonly follow?: boolean;
  readonly limit: number;
  /** Of the terminal; absent: lines are as long as they are. */
  readonly width?: number;
}

/** Lines go where they are asked for, at once if somebody waits for them. */
export interface Printing {
  readonly print: Print;
  flush(): void;
}

/** Events read between two looks at whether somebody wants to stop. */
export const PIECE = 1 << 12;

/** What takes a machine's packets apart. */
export const readerOf = (machine: MachineDescription): PacketReader =>
  new PacketReader({ ...machine, net: wiresOf(machine) });

/** Which are shown, where, and whose they are. */
interface Showing {
  readonly isWanted: (told: PacketTold) => boolean;
  readonly print: Print;
  readonly whose: WhoseLines;
}

/** Says what is wanted, up to the limit. */
export class ShownPackets {
  private left: number;
  private readonly form: PacketsForm;
  private readonly isWanted: (told: PacketTold) => boolean;
  private readonly print: Print;
  private readonly whose: WhoseLines;

  constructor(form: PacketsForm, { isWanted, print, whose }: Showing) {
    this.left = form.limit;
    this.whose = whose;
    this.form = form;
    this.isWanted = isWanted;
    this.print = print;
  }

  get isFull(): boolean {
    return this.left <= 0;
  }

  take(told: PacketTold, machine = 0): void {
    if (this.isFull || !this.isWanted(told)) return;
    this.left -= 1;
    const { whose } = this;
    const { json, hex, width } = this.form;
    const line = json === true ? '' : fitted(whose.line(machine, packetLine(told)), width);
    this.print(json === true ? whose.json(machine, packetJson(told), undefined) : line);
    if (hex === true) for (const row of hexDump(told.stamped.event.bytes)) this.print(whose.line(machine, row));
  }
}
