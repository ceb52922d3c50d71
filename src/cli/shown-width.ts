/** Of the terminal, or of the one behind a pager; a terminal that does not know its width says 0. */
export function shownWidth(): number | undefined {
  const { COLUMNS } = process.env;
  const width = process.stdout.isTTY === true ? process.stdout.columns : Number(COLUMNS ?? 0);
  return width > 0 ? width : undefined;
}
