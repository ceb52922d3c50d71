import { Problem } from '../base/problem.ts';

/** Bytes' SHA-256 in hexadecimal digits. */
export type Sha256 = (bytes: Uint8Array) => string;

/** Most bytes of one payload: whoever brings more brings it in pieces. */
export const LONGEST_PAYLOAD = 2 ** 24;

/** Bulk bytes from outside the machine, by their SHA-256: events name them, and hold none. */
export interface PayloadSource {
  /** Nobody changes them. Throws a Problem where there are none of that name. */
  payload(sha256: string): Uint8Array;
}

/** The payloads a run has been given, each content once. They stay as long as the run can be gone back in. */
export class Payloads implements PayloadSource {
  private readonly sha256: Sha256;
  private readonly kept = new Map<string, Uint8Array>();

  constructor(sha256: Sha256) {
    this.sha256 = sha256;
  }

  /** Keep bytes. Returns their name. */
  keep(bytes: Uint8Array): string {
    const { length } = bytes;
    if (length > LONGEST_PAYLOAD) {
      throw new Problem(
        `A payload of ${length} bytes is too long: ${LONGEST_PAYLOAD} are the most, give it in pieces.`,
      );
    }
    const name = this.sha256(bytes);
    if (!this.kept.has(name)) this.kept.set(name, new Uint8Array(bytes));
    return name;
  }

  payload(sha256: string): Uint8Array {
    return this.kept.get(sha256) ?? NO_PAYLOADS.payload(sha256);
  }
}

/** A run that was given none. */
export const NO_PAYLOADS: PayloadSource = {
  payload(sha256) {
    throw new Problem(`This run was not given the payload ${sha256}.`);
  },
};
