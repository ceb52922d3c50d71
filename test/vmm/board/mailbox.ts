import { debugPorts, driver } from '../../../src/devices/debug-ports/index.ts';
import type { AnyDriver, Driver } from '../../../src/devices/driver.ts';

/** Payloads that the guest has not asked for yet, by name. */
interface MailboxState {
  readonly waiting: readonly string[];
}

/** Where things lie in guest memory. */
export const AT = { image: 0x100000, code: 0x100040, note: 0x1f0000, letter: 0x200000 };

/** The part whose place the mailbox takes. */
export const MAILBOX = 'debug-ports';

/** What is no longer is put into memory as it comes; a letter when the guest asks for it. */
const LONGEST_NOTE = 16;

/** At port 0x80: a read tells how many letters wait, a write has the first moved into memory. */
const mailbox: Pick<Driver<MailboxState, object>, 'create' | 'atReset' | 'reducer'> = {
  create: () => ({
    model: 'mailbox',
    regions: debugPorts.regions,
    pins: [],
    read: ({ waiting }) => waiting.length,
    write({ waiting: [first] }, _region, _offset, _size, _value, effects) {
      effects.commit();
      if (first !== undefined) effects.dmaWrite(AT.letter, effects.payloadOf(first));
    },
    receive(_mailbox, effects, input) {
      if (input.kind !== 'sim:payload_received' || input.len > LONGEST_NOTE) return;
      effects.dmaWrite(AT.note, effects.payloadOf(input.sha256));
    },
    describe: ({ waiting }) => ({ waiting: `${waiting.length} letters` }),
  }),
  atReset: () => ({ waiting: [] }),
  reducer: {
    written(box) {
      box.waiting.shift();
    },
    facts: {
      'sim:payload_received'(box, { sha256, len }) {
        if (len > LONGEST_NOTE) box.waiting.push(sha256);
      },
    },
  },
};

/** Machines made from now on have it. Returns how to take it out again. */
export function installMailbox(): () => void {
  const { create, atReset, reducer } = driver;
  const place: Partial<AnyDriver> = driver;
  Object.assign(place, mailbox);
  return () => void Object.assign(place, { create, atReset, reducer });
}

const SIZE = 0x1000;

const le32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** Multiboot 1, by its own addresses. */
const header = (): number[] => {
  const flags = 0x10000;
  const end = AT.image + SIZE;
  return [0x1badb002, flags, -(0x1badb002 + flags), AT.image, AT.image, end, end, AT.code].flatMap(le32);
};

/** Where of a letter the guest looks. */
export const PRINTED = 0x8123;

/** A kernel that waits for so many letters, and prints a byte of each over the serial line. */
export function mailboxGuest(letters: number): Uint8Array {
  const image = new Uint8Array(SIZE);
  const put = (at: number, bytes: readonly number[]): void => image.set(bytes, at - AT.image);
  const poll = [0xe4, 0x80, 0x84, 0xc0, 0x74, 0xfa];
  const print = [0xa0, ...le32(AT.letter + PRINTED), 0x66, 0xba, 0xf8, 0x03, 0xee];
  const round = [...poll, 0xe6, 0x80, ...print];
  const exit = [0xb0, 0, 0x66, 0xba, 0xf4, 0x00, 0xee, 0xf4];
  put(AT.image, header());
  put(AT.code, [0xb9, ...le32(letters), ...round, 0x49, 0x75, -(round.length + 3) & 0xff, ...exit]);
  return image;
}
