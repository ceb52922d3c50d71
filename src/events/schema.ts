/**
 * How an event family is written down: one row per event, its fields and their column types.
 * Types, the trace codec and the text form all come from the row.
 */

/**
 * Column types. `u`: integer 0..2^53-1 as number. `i`: signed integer as number. `u64`: 64-bit
 * unsigned as bigint. `text`: string. `bytes`: Uint8Array. `packet`: the same, where headers are followed by what is
 * anybody's. `bool`: boolean.
 */
export type FieldType = 'u' | 'i' | 'u64' | 'text' | 'bytes' | 'packet' | 'bool';

type ValueOf<T extends FieldType> = T extends 'u' | 'i'
  ? number
  : T extends 'u64'
    ? bigint
    : T extends 'text'
      ? string
      : T extends 'bool'
        ? boolean
        : Uint8Array;

export type Fields = Readonly<Record<string, FieldType>>;

export type FieldsOf<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** Who takes an input that is no device's. `machine/inputs.ts` has one way in for each. */
export type NamedReceiver =
  | 'machine'
  | 'reset button'
  | 'wake-up button'
  | 'NMI button'
  | 'continue button'
  | 'block layer'
  | 'network'
  | 'dirty log'
  | 'debugger'
  | 'timeline'
  | 'recorder';

/**
 * A device takes an input: the part of the board that is called so, followed by the value of a field if one is named.
 * It may be one that this machine does not have.
 */
export interface DeviceReceiver<Field extends string> {
  readonly part: string;
  readonly field: Field | undefined;
}

/** Who takes an input. */
export type Receiver<Field extends string = string> = NamedReceiver | DeviceReceiver<Field>;

/** An input for a device of the board. */
export const toPart = <const Field extends string = never>(part: string, field?: Field): DeviceReceiver<Field> => ({
  part,
  field,
});

/** One row: the fields in order, who receives the event if it is an input, and how it prints. */
export interface EventRow<F extends Fields, R extends Receiver | undefined = Receiver | undefined> {
  readonly fields: F;
  /** Given when the guest cannot cause it: it must be recorded before it is used. */
  readonly receiver: R;
  /** The text after `name: `, as the kernel's TP_printk (or QEMU's -trace) prints it. */
  readonly print: (event: FieldsOf<F>) => string;
}

/** A fact the machine or its world caused, derivable from the inputs. */
export function fact<const F extends Fields>(fields: F, print: (event: FieldsOf<F>) => string): EventRow<F, undefined> {
  return { fields, receiver: undefined, print };
}

/** A fact from outside the machine, and who takes it there. Inputs alone replay a run. */
export function input<const F extends Fields, const R extends Receiver<keyof F & string>>(
  fields: F,
  print: (event: FieldsOf<F>) => string,
  receiver: R,
): EventRow<F, R> {
  return { fields, receiver, print };
}

// biome-ignore lint/suspicious/noExplicitAny: a row of any fields, seen from outside
export type AnyRow = EventRow<any>;

/** The union of events a table of rows defines: `{ kind: name, ...fields }`. */
export type EventsOf<T extends Readonly<Record<string, AnyRow>>> = {
  [K in keyof T & string]: { readonly kind: K } & (T[K] extends EventRow<infer F> ? FieldsOf<F> : never);
}[keyof T & string];

/** The kinds of a table that are inputs. */
export type InputsOf<T extends Readonly<Record<string, AnyRow>>> = {
  [K in keyof T & string]: T[K] extends { readonly receiver: Receiver } ? K : never;
}[keyof T & string];

/** Lower-case hexadecimal without prefix, of a number or bigint. */
export const hex = (value: number | bigint): string => value.toString(16);
