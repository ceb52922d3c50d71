/** The end of a `switch` over a union, where no member is left: one that is added and not named does not compile. */
export function unreachable(value: never): never {
  throw new TypeError(`nothing of this kind was expected: ${JSON.stringify(value)}`);
}
