/** Frames one after another in a stream, each behind its length: four bytes, highest first. QEMU 7.2: net/net.c. */
import { NOTHING } from './layout.ts';

const HEAD = 4;

/** A frame as it goes into a stream. */
export function framed(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD + frame.length);
  new DataView(bytes.buffer).setUint32(0, frame.length);
  bytes.set(frame, HEAD);
  return bytes;
}

/** Takes frames out of a stream that comes in pieces. */
export class FramedReader {
  private readonly longest: number;
  private head: number[] = [];
  private frame: Uint8Array = NOTHING;
  private filled = 0;

  /** longest: of a frame, in bytes. */
  constructor(longest: number) {
    this.longest = longest;
  }

  /** A frame has begun that is not whole. */
  get isInside(): boolean {
    return this.head.length > 0;
  }

  /** Length of the frame that has begun, if that is one nobody would read. */
  get tooLong(): number | undefined {
    const length = this.length;
    return length !== undefined && length > this.longest ? length : undefined;
  }

  private get length(): number | undefined {
    const [a, b, c, d] = this.head;
    return d === undefined ? undefined : ((a! << 24) | (b! << 16) | (c! << 8) | d) >>> 0;
  }

  /** More of the stream has come. Returns the frames that are whole now, and stops at one that is too long. */
  add(piece: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let rest = piece;
    while (rest.length > 0 && this.tooLong === undefined) {
      rest = this.length === undefined ? this.addToHead(rest) : this.addToFrame(rest);
      if (this.length === undefined || this.filled < this.length || this.tooLong !== undefined) continue;
      frames.push(this.frame);
      this.head = [];
    }
    return frames;
  }

  private addToHead(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, HEAD - this.head.length);
    this.head.push(...taken);
    if (this.length !== undefined && this.tooLong === undefined) {
      this.frame = new Uint8Array(this.length);
      this.filled = 0;
    }
    return bytes.subarray(taken.length);
  }

  private addToFrame(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, this.frame.length - this.filled);
    this.frame.set(taken, this.filled);
    this.filled += taken.length;
    return bytes.subarray(taken.length);
  }
}
