/** What a drive of a run held at its moments. Events know it by digests alone: the run is run again to a moment. */
import { invariant } from '../../base/invariant.ts';
import { SECTOR, type Seq } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { SparseBytes } from '../../memory/sparse.ts';
import type { Mark, Timeline } from '../timeline.ts';
import { isChange } from './drive-events.ts';

/** What a drive holds where a timeline stands. */
export function bytesOf({ machine }: Timeline, drive: string): SparseBytes {
  const found = machine.vmm.drives?.get(drive);
  invariant(found !== undefined, 'a drive is one of the machine', { drive });
  return found.bytes;
}

/** What a drive held at a place: a tick, or just after so many events. The timeline is somewhere near afterwards. */
export function* contentAt(timeline: Timeline, drive: string, place: Mark | number): Work<SparseBytes> {
  if (typeof place === 'number') {
    yield* timeline.seeking(place);
    return bytesOf(timeline, drive).copy();
  }
  const { seq, tick } = place;
  yield* timeline.seeking(Math.max(0, tick - 1));
  const beyond: Overwritten[] = [];
  // A machine rests between steps, of several events each: what lies beyond the place is undone.
  const hear = (stamped: Stamped): void => {
    if (stamped.seq < seq || !isChange(stamped) || stamped.event.drive !== drive) return;
    const { offset, len } = stamped.event;
    beyond.push(overwritten(bytesOf(timeline, drive), offset, len));
  };
  timeline.watching(hear, () => timeline.seek(place));
  const content = bytesOf(timeline, drive).copy();
  for (const { offset, bytes } of beyond.reverse()) content.write(offset, bytes);
  return content;
}

/** Bytes as they were before something was written over them. */
interface Overwritten {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

function overwritten(drive: SparseBytes, offset: number, length: number): Overwritten {
  const bytes = new Uint8Array(length);
  drive.read(offset, bytes);
  return { offset, bytes };
}

/** A change of what a drive holds, with the bytes. */
export interface Change {
  readonly seq: Seq;
  readonly offset: number;
  readonly length: number;
  /** Undefined: zeroes. */
  readonly bytes: Uint8Array | undefined;
}

/** What a drive that loses its power may come to: what is durable, and what it may have lost, oldest first. */
export interface Unflushed {
  readonly durable: SparseBytes;
  readonly changes: readonly Change[];
}

/**
 * A reader of a run that keeps what a drive has made durable, and the changes since. It is told every event while the
 * drive is as it is told.
 */
export class UnflushedOf {
  private readonly name: string;
  private readonly drive: SparseBytes;
  private durable: SparseBytes;
  private changes: Change[] = [];
  /** A change whose bytes are not in the drive yet: the fact comes first. */
  private coming: { readonly seq: Seq; readonly offset: number; readonly length: number } | undefined;

  /** It begins where all the drive holds is durable. */
  constructor(drive: SparseBytes, name: string) {
    this.name = name;
    this.drive = drive;
    this.durable = this.drive.copy();
  }

  next({ seq, event }: Stamped): void {
    this.arrive();
    switch (event.kind) {
      case 'sim:disk_written':
        if (event.drive === this.name) this.coming = { seq, offset: event.offset, length: event.len };
        break;
      case 'sim:disk_cleared':
        if (event.drive === this.name)
          this.changes.push({ seq, offset: event.offset, length: event.len, bytes: undefined });
        break;
      case 'sim:disk_resized':
        if (event.drive === this.name) this.resized(event.sectors * SECTOR);
        break;
      case 'sim:disk_flushed':
        if (event.drive !== this.name) break;
        this.durable = this.drive.copy();
        this.changes = [];
        break;
      default:
    }
  }

  /** Its size is not in a cache: what is cut off is gone, whether it was durable or not. */
  private resized(size: number): void {
    this.durable.resize(size);
    this.changes = this.changes.flatMap((change) => {
      const length = Math.min(change.length, size - change.offset);
      return length <= 0 ? [] : [{ ...change, length, bytes: change.bytes?.subarray(0, length) }];
    });
  }

  /** What there is between two events. */
  now(): Unflushed {
    this.arrive();
    return { durable: this.durable, changes: this.changes.slice() };
  }

  /** The bytes of the last write are there by now. */
  arrive(): void {
    if (this.coming === undefined) return;
    const { seq, offset, length } = this.coming;
    this.coming = undefined;
    this.changes.push({ seq, length, ...overwritten(this.drive, offset, length) });
  }
}

/** What a drive holds if nothing is lost. */
export function withAll({ durable, changes }: Unflushed): SparseBytes {
  const content = durable.copy();
  for (const change of changes) apply(content, change);
  return content;
}

export function apply(content: SparseBytes, { offset, length, bytes }: Change): void {
  if (bytes === undefined) content.clear(offset, length);
  else content.write(offset, bytes);
}
