import type { Observer } from 'rxjs';
import type { Stamped } from '../../events/stamped.ts';
import type { PayloadSource } from '../../memory/payloads.ts';
import { createTraceWriter, type TraceSubject } from '../../replay/trace/writer.ts';
import type { Files, FileSink, World } from '../world.ts';

/** A reader of a run that writes it down. */
export interface Recording extends Pick<Observer<Stamped>, 'next'> {
  /** Why writing failed, if it did: nothing is written after that. A reader must not throw. */
  readonly failure: Error | undefined;
  /** The machine stands: from here on there is a file. A run that cannot start overwrites nothing. */
  begin(): void;
  /** Write what is held back and the index, and close the file. Throws what writing any of it threw. */
  close(): void;
}

/** Record into a file. Throws a Problem when a trace may not be written there. */
export function startRecording(
  { files, compress }: Pick<World, 'files' | 'compress'>,
  path: string,
  subject: TraceSubject,
  payloads?: PayloadSource,
): Recording {
  files.refuseOtherThanTrace(path);
  const file = heldBack(files, path);
  const writer = createTraceWriter(file, compress, subject, payloads);
  let failure: Error | undefined;
  return {
    get failure() {
      return failure;
    },
    next(stamped) {
      if (failure !== undefined) return;
      try {
        writer.append(stamped);
      } catch (error) {
        failure = error as Error;
      }
    },
    begin: file.begin,
    close() {
      try {
        if (failure === undefined) writer.close();
      } finally {
        file.close();
      }
      if (failure !== undefined) throw failure;
    },
  };
}

/** A file that holds its bytes back until it begins. */
function heldBack(files: Files, path: string): FileSink & { begin(): void } {
  let held: Uint8Array[] | undefined = [];
  let file: FileSink | undefined;
  return {
    append(bytes) {
      if (held === undefined) file?.append(bytes);
      else held.push(bytes);
    },
    begin() {
      file = files.createTrace(path);
      for (const bytes of held ?? []) file.append(bytes);
      held = undefined;
    },
    close() {
      file?.close();
      file = undefined;
    },
  };
}
