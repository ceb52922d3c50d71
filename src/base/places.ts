import { BrokenBelief } from './invariant.ts';

/** Put a value where a list has a place. A list does not grow because of a number somebody gave. */
export function putAt<T>(list: T[], at: number, value: T): void {
  if (!(at >= 0 && at < list.length && Number.isInteger(at))) {
    throw new BrokenBelief('the list has this place', { at, length: list.length });
  }
  list[at] = value;
}

/** Put a value under a name. One name means something else to every object. */
export function putNamed<T>(record: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__') throw new BrokenBelief('the name is free', { name });
  record[name] = value;
}
