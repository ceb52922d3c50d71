/** One part of an address: decimal, `0x` hexadecimal or `0` octal. */
function partOf(text: string): number | undefined {
  if (/^0x[0-9a-f]*$/i.test(text)) return Number.parseInt(text.slice(2) || '0', 16);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

/**
 * An IPv4 address as a number, by the rules of inet_aton(3), which QEMU's options go by: one to four parts, of which
 * the last fills what is left. Undefined for what is none.
 */
export function inetAton(text: string): number | undefined {
  const parts = text.split(/\s/, 1)[0]!.split('.').map(partOf);
  const last = parts.pop();
  if (last === undefined || parts.length > 3) return undefined;
  const left = 2 ** (8 * (4 - parts.length));
  if (last >= left || !parts.every((part) => part !== undefined && part < 0x100)) return undefined;
  return parts.reduce<number>((sum, part, at) => sum + part! * 2 ** (24 - 8 * at), 0) + last;
}
