import { NAMED } from '../../events/named-numbers.ts';

/** Names of numbers, as the values of a field or of all fields have them. */
type Constants = ReadonlyMap<string, number>;

function joined(tables: readonly Constants[]): Constants {
  const all = new Map<string, number>();
  for (const table of tables) for (const [name, number] of table) if (!all.has(name)) all.set(name, number);
  return all;
}

const FIELDS: ReadonlyMap<string, Constants> = new Map(
  [...new Set(NAMED.map(([, field]) => field))].map((field) => [
    field,
    joined(NAMED.filter(([, each]) => each === field).map(([, , { numbers }]) => numbers)),
  ]),
);

/** Names of a field's values, whatever event has the field; undefined: they have none. */
export const constantsOf = (field: string): Constants | undefined => FIELDS.get(field);

/** The numbers a name stands for, by field. */
export const meaningsOf = (name: string): readonly (readonly [field: string, number: number])[] =>
  [...FIELDS].flatMap(([field, table]) => {
    const number = table.get(name);
    return number === undefined ? [] : [[field, number] as const];
  });

/** Every name of a number there is. */
export const constantNames = (): Iterable<string> =>
  new Set([...FIELDS.values()].flatMap((table) => [...table.keys()]));
