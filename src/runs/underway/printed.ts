import type { Stamped } from '../../events/stamped.ts';

/** Where what the guest prints goes. */
export interface OutputTo {
  serial(line: number, bytes: Uint8Array): void;
  debugcon(bytes: Uint8Array): void;
}

/** A reader of a run that collects what the guest prints, to be handed on in pieces as large as they come. */
export class Printed {
  private readonly lines: number[][] = [[], [], [], []];
  private readonly debugcon: number[] = [];
  private readonly output: OutputTo;

  constructor(output: OutputTo) {
    this.output = output;
  }

  next({ event }: Stamped): void {
    if (event.kind === 'sim:serial_sent') this.lines[event.line]?.push(event.byte);
    else if (event.kind === 'sim:debugcon_sent') this.debugcon.push(event.byte);
  }

  /** Hand on what there is; whether there was anything. */
  flush(): boolean {
    const { lines, debugcon, output } = this;
    const hasPrinted = debugcon.length > 0 || lines.some((bytes) => bytes.length > 0);
    for (const [line, bytes] of lines.entries()) {
      if (bytes.length > 0) output.serial(line, Uint8Array.from(bytes.splice(0)));
    }
    if (debugcon.length > 0) output.debugcon(Uint8Array.from(debugcon.splice(0)));
    return hasPrinted;
  }
}
