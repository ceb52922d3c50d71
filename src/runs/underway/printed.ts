import type { Stamped } from '../../events/stamped.ts';
import type { DumpTo } from './dumped.ts';

/** Where what the guest prints goes. */
export interface OutputTo {
  serial(line: number, bytes: Uint8Array): void;
  /** By a device of `-device` that has a `chardev`. */
  character(dev: string, bytes: Uint8Array): void;
  /** Of packets, for the dump of this id. */
  dump?: DumpTo;
  /** Something has come from outside: whoever waits need not any longer. */
  rouse?(): void;
  /** What a person is to know of the run on its way. */
  notice?(sentence: string): void;
}

/** A reader of a run that collects what the guest prints, to be handed on in pieces as large as they come. */
export class Printed {
  private readonly lines: number[][] = [[], [], [], []];
  private readonly characters = new Map<string, number[]>();
  private readonly output: OutputTo;

  constructor(output: OutputTo) {
    this.output = output;
  }

  next({ event }: Stamped): void {
    if (event.kind === 'sim:serial_sent') this.lines[event.line]?.push(event.byte);
    else if (event.kind === 'sim:chardev_sent') this.printedBy(event.dev).push(...event.bytes);
  }

  private printedBy(dev: string): number[] {
    let bytes = this.characters.get(dev);
    if (bytes === undefined) {
      bytes = [];
      this.characters.set(dev, bytes);
    }
    return bytes;
  }

  /** Hand on what there is; whether there was anything. */
  flush(): boolean {
    const { lines, characters, output } = this;
    let hasPrinted = false;
    const handOn = (bytes: number[], to: (taken: Uint8Array) => void): void => {
      if (bytes.length === 0) return;
      hasPrinted = true;
      to(Uint8Array.from(bytes.splice(0)));
    };
    for (const [line, bytes] of lines.entries()) handOn(bytes, (taken) => output.serial(line, taken));
    for (const [dev, bytes] of characters) handOn(bytes, (taken) => output.character(dev, taken));
    return hasPrinted;
  }
}
