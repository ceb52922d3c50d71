import type { Observer } from 'rxjs';
import type { Stamped } from '../../events/stamped.ts';
import { type Beside, createTraceWriter, type TraceSubject } from '../../replay/trace/writer.ts';
import type { Files, FileSink, World } from '../world.ts';

/** A reader of a run that writes it down. */
export interface Recording extends Pick<Observer<Stamped>, 'next'> {
  /** Why writing failed, if it did: nothing is written after that. A reader must not throw. */
  readonly failure: Error | undefined;
  /** The machine stands: from here on there is a file. A run that cannot start overwrites nothing. */
  begin(): void;
  /** Write what has been held back for long. To be called again and again, whether anything was told or not. */
  writeWhenDue(): void;
  /** The run did not come to an end: write what is held back, and no end. */
  breakOff(): void;
  /** Write what is held back and the index, and close the file. Throws what writing any of it threw. */
  close(): void;
}

/** Milliseconds for which an event may be held back, so that a recorder that is killed has lost less than a second. */
const HELD_MS = 400;

/** Events told between two looks at the clock. */
const UNTIL_A_LOOK = 256;

/** Record into a file. Throws a Problem when a trace may not be written there. */
export function startRecording(
  { files, compress, milliseconds }: Pick<World, 'files' | 'compress' | 'milliseconds'>,
  { path, pieceBytes }: { readonly path: string; readonly pieceBytes?: number | undefined },
  subject: TraceSubject,
  beside?: Beside,
): Recording {
  files.refuseOtherThanTrace(path);
  const file = heldBack(files, path, pieceBytes);
  const writer = createTraceWriter(file, compress, subject, beside);
  let failure: Error | undefined;
  /** When the first event that is held back was told. */
  let since: number | undefined;
  const attempt = (write: () => void): void => {
    if (failure !== undefined) return;
    try {
      write();
    } catch (error) {
      failure = error as Error;
    }
  };
  const writeWhenDue = (): void => {
    if (since === undefined || milliseconds() - since < HELD_MS) return;
    since = undefined;
    attempt(writer.flush);
  };
  const finish = (write: () => void): void => {
    attempt(write);
    file.close();
    if (failure !== undefined) throw failure;
  };
  return {
    get failure() {
      return failure;
    },
    next(stamped) {
      if (failure !== undefined) return;
      // Not by `attempt`: there are millions.
      try {
        writer.append(stamped);
      } catch (error) {
        failure = error as Error;
      }
      const { held } = writer;
      if (held === 0) since = undefined;
      else if (since === undefined) since = milliseconds();
      else if (held % UNTIL_A_LOOK === 0) writeWhenDue();
    },
    begin: file.begin,
    writeWhenDue,
    breakOff: () => finish(writer.flush),
    close: () => finish(writer.close),
  };
}

/** A file that holds its bytes back until it begins. */
function heldBack(files: Files, path: string, pieceBytes: number | undefined): FileSink & { begin(): void } {
  let held: Uint8Array[] | undefined = [];
  let file: FileSink | undefined;
  return {
    append(bytes) {
      if (held === undefined) file?.append(bytes);
      else held.push(bytes);
    },
    begin() {
      file = files.createTrace(path, pieceBytes);
      for (const bytes of held ?? []) file.append(bytes);
      held = undefined;
    },
    close() {
      file?.close();
      file = undefined;
    },
  };
}
