/** What the events of a run tell of its drives: who asked for what, and what became of it. No machine is needed. */
import { moveKey } from '../../base/move-key.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';

type Told<K extends 'sim:disk_submitted' | 'sim:disk_completed' | 'virtqueue_pop'> = Stamped<EventOf<K>>;

/** A drive came to hold other bytes. */
export type ChangeEvent = EventOf<'sim:disk_written'> | EventOf<'sim:disk_cleared'>;

/** A request of a device to a drive. */
export interface RequestTold {
  readonly submitted: Told<'sim:disk_submitted'>;
  /** The element of a virtqueue it came in, if it did. */
  readonly element: Told<'virtqueue_pop'> | undefined;
}

/** A change of what a drive holds. */
export interface ChangeTold {
  readonly stamped: Stamped<ChangeEvent>;
  readonly request: RequestTold | undefined;
  /** What made it durable: undefined while nothing has. */
  flushed: Stamped<EventOf<'sim:disk_flushed'>> | undefined;
}

/** Kinds of events that a reader of drives has to be told. */
const KINDS: ReadonlySet<string> = new Set([
  'sim:disk_submitted',
  'sim:disk_faulted',
  'sim:disk_completed',
  'sim:disk_written',
  'sim:disk_cleared',
  'sim:disk_flushed',
  'sim:disk_resized',
  'virtqueue_pop',
]);

export const tellsOfDrives = (kind: string): boolean => KINDS.has(kind);

/** Whether an event changes what a drive holds. */
export const isChange = (stamped: Stamped): stamped is Stamped<ChangeEvent> =>
  stamped.event.kind === 'sim:disk_written' || stamped.event.kind === 'sim:disk_cleared';

/** Bytes of a drive. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

const touches = ({ offset, len }: ChangeEvent, extent: Extent): boolean =>
  offset < extent.offset + extent.length && extent.offset < offset + len;

/**
 * A reader of a run that keeps each change of some bytes of a drive, with the request it was and the flush that made it
 * durable. To be told every event of `tellsOfDrives`, in order.
 */
export class ChangesOf {
  readonly found: ChangeTold[] = [];
  private readonly drive: string;
  private readonly extent: Extent;
  private readonly elements = new Map<string, Told<'virtqueue_pop'>>();
  private readonly inFlight = new Map<number, RequestTold>();
  private completing: { readonly seq: number; readonly request: RequestTold | undefined } | undefined;
  private durable = 0;

  constructor(drive: string, extent: Extent) {
    this.drive = drive;
    this.extent = extent;
  }

  next(stamped: Stamped): void {
    const { event, seq, cause } = stamped;
    switch (event.kind) {
      case 'virtqueue_pop':
        this.elements.set(`${event.dev} ${event.elem}`, stamped as Told<'virtqueue_pop'>);
        break;
      case 'sim:disk_submitted':
        this.submitted(stamped as Told<'sim:disk_submitted'>);
        break;
      case 'sim:disk_faulted':
        this.inFlight.delete(cause ?? -1);
        break;
      case 'sim:disk_completed': {
        const request = this.inFlight.get(cause ?? -1);
        this.inFlight.delete(cause ?? -1);
        this.completing = { seq, request };
        break;
      }
      case 'sim:disk_written':
      case 'sim:disk_cleared':
        if (event.drive === this.drive && touches(event, this.extent)) this.changed(stamped as Stamped<ChangeEvent>);
        break;
      case 'sim:disk_flushed':
        if (event.drive === this.drive) this.flushed(stamped as Stamped<EventOf<'sim:disk_flushed'>>);
        break;
      default:
    }
  }

  private submitted(submitted: Told<'sim:disk_submitted'>): void {
    const { dev, tag } = submitted.event;
    const name = `${dev} ${tag}`;
    const element = this.elements.get(name);
    this.elements.delete(name);
    this.inFlight.set(submitted.seq, { submitted, element });
  }

  private changed(stamped: Stamped<ChangeEvent>): void {
    const { completing } = this;
    const request = completing?.seq === stamped.cause ? completing?.request : undefined;
    this.found.push({ stamped, request, flushed: undefined });
  }

  private flushed(flush: Stamped<EventOf<'sim:disk_flushed'>>): void {
    for (; this.durable < this.found.length; this.durable += 1) this.found[this.durable]!.flushed = flush;
  }
}

/** What was asked of a drive over a run. */
export interface DriveCounts {
  /** Requests that are done, by what they asked for. */
  readonly done: Record<string, number>;
  failed: number;
  bytesRead: number;
  bytesWritten: number;
  flushes: number;
  /** Changes since the last flush. */
  unflushed: number;
  /** The devices that asked. */
  readonly devices: Set<string>;
}

/** A reader of a run that counts requests to each of its drives. To be told what `ChangesOf` is. */
export class RequestCounts {
  readonly byDrive = new Map<string, DriveCounts>();
  private readonly inFlight = new Map<number, EventOf<'sim:disk_submitted'>>();

  next({ event, seq, cause }: Stamped): void {
    switch (event.kind) {
      case 'sim:disk_submitted':
        this.inFlight.set(seq, event);
        this.of(event.drive).devices.add(event.dev);
        break;
      case 'sim:disk_faulted':
        // It completes because of that.
        moveKey(this.inFlight, cause ?? -1, seq);
        break;
      case 'sim:disk_completed':
        this.completed(event, cause ?? -1);
        break;
      case 'sim:disk_written':
      case 'sim:disk_cleared':
        this.of(event.drive).unflushed += 1;
        break;
      case 'sim:disk_flushed': {
        const drive = this.of(event.drive);
        drive.flushes += 1;
        drive.unflushed = 0;
        break;
      }
      default:
    }
  }

  private completed({ drive, result }: EventOf<'sim:disk_completed'>, submitted: number): void {
    const counts = this.of(drive);
    const request = this.inFlight.get(submitted);
    this.inFlight.delete(submitted);
    if (request === undefined) return;
    counts.done[request.op] = (counts.done[request.op] ?? 0) + 1;
    if (result !== 0) counts.failed += 1;
    else if (request.op === 'read') counts.bytesRead += request.len;
    else if (request.op === 'write') counts.bytesWritten += request.len;
  }

  private of(drive: string): DriveCounts {
    let counts = this.byDrive.get(drive);
    if (counts === undefined) {
      counts = { done: {}, failed: 0, bytesRead: 0, bytesWritten: 0, flushes: 0, unflushed: 0, devices: new Set() };
      this.byDrive.set(drive, counts);
    }
    return counts;
  }
}
