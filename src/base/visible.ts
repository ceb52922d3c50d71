/** What does something to a terminal instead of being seen: controls, and marks that turn the direction of writing. */
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const BYTE = 0x100;

/** A character by its number, as C and JavaScript write it. */
function writtenOut(character: string): string {
  const code = character.charCodeAt(0);
  return code < BYTE ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** Somebody else's text as it may be printed: what a terminal would obey is written out. */
export const visible = (text: string): string => text.replaceAll(UNSEEN, writtenOut);
