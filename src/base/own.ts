/** What a table has under a name that anybody may have chosen: never what every object has (`constructor`). */
export const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;
