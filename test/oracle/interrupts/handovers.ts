import type { MachineEvent } from '../../../src/events/vocabulary.ts';

type Request = Pick<Extract<MachineEvent, { readonly kind: 'sim:disk_submitted' }>, 'drive' | 'dev' | 'tag'>;

const nameOf = ({ drive, dev, tag }: Request): string => `${drive} ${dev} ${tag}`;

/**
 * What a thread leaves for later, and who does it acts on what that thread acted on. Of an eventfd that is the first
 * signal since it was read: the next ones find it signalled.
 */
export class Handovers {
  private readonly signals = new Map<number, number>();
  private readonly requests = new Map<string, number>();

  /** `root`: what the thread of the event acts on. Returns what it acts on from here on, if that is something else. */
  next(event: MachineEvent, root: number): number | undefined {
    switch (event.kind) {
      case 'sim:eventfd_signal':
        if (!this.signals.has(event.fd)) this.signals.set(event.fd, root);
        return undefined;
      case 'sim:eventfd_consume':
        return event.by === 'user space' ? take(this.signals, event.fd) : void this.signals.delete(event.fd);
      case 'sim:disk_submitted':
        this.requests.set(nameOf(event), root);
        return undefined;
      case 'sim:disk_completed':
        return take(this.requests, nameOf(event));
      default:
        return undefined;
    }
  }
}

function take<K>(from: Map<K, number>, key: K): number | undefined {
  const root = from.get(key);
  from.delete(key);
  return root;
}
