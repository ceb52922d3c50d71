/** Text that people write, in JSON with comments or in YAML: its value, and where each part of it stands. */
import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import { isMap, isScalar, isSeq, parseDocument } from 'yaml';

/** Keys from the outermost on. */
export type Place = readonly (string | number)[];

/** What a text says, or what is wrong with it and where: a place in its characters. */
export type Understood =
  | {
      readonly value: unknown;
      /** Where a place is; undefined: nothing is there. */
      offsetAt(place: Place): number | undefined;
    }
  | { readonly wrong: string; readonly offset: number };

export function understoodJson(text: string): Understood {
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined || tree === undefined) {
    const what = error === undefined ? 'EndOfFileExpected' : printParseErrorCode(error.error);
    return { wrong: spaced(what), offset: error?.offset ?? 0 };
  }
  return { value: getNodeValue(tree), offsetAt: (place) => offsetInJson(tree, place) };
}

/** `InvalidSymbol`: invalid symbol. */
const spaced = (code: string): string => code.replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

function offsetInJson(tree: Node, place: Place): number | undefined {
  const node = findNodeAtLocation(tree, [...place]);
  return node?.parent?.type === 'property' ? node.parent.offset : node?.offset;
}

/** What stands in one place alone: who writes that something is as elsewhere could make a text grow without end. */
const NO_ALIASES = 0;

/** Its reader compares each key with all before it. */
const MOST_YAML = 64 * 1024;

/** YAML 1.2, without aliases. */
export function understoodYaml(text: string): Understood {
  if (text.length > MOST_YAML) return { wrong: `more than ${MOST_YAML / 1024} KiB of YAML`, offset: MOST_YAML };
  if (deepest(text) > MOST_LEVELS) return { wrong: `more than ${MOST_LEVELS} levels`, offset: 0 };
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true });
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) return { wrong: error.message.replace(/\.$/, ''), offset: error.pos[0] };
  try {
    const value: unknown = document.toJS({ maxAliasCount: NO_ALIASES });
    return { value, offsetAt: (place) => offsetInYaml(document.contents, place) };
  } catch (problem) {
    return {
      wrong: problem instanceof ReferenceError ? 'aliases (*) are not understood' : 'it is no value',
      offset: 0,
    };
  }
}

/** More than any file of ours has: its reader goes down one by one. */
const MOST_LEVELS = 64;

/** How deep a text in YAML can be: by brackets, and by what stands further right than what is before it. */
function deepest(text: string): number {
  let open = 0;
  let most = 0;
  const columns: number[] = [];
  for (const line of text.split('\n')) {
    const marks = /^[ \-?:\t]*/.exec(line)![0];
    const own = marks.length - marks.replace(/[-?:]/g, '').length;
    while (columns.length > 0 && columns[columns.length - 1]! >= marks.length) columns.pop();
    if (marks.length < line.length) columns.push(marks.length);
    for (const character of line) if (character === '[' || character === '{') open += 1;
    for (const character of line) if (character === ']' || character === '}') open = Math.max(0, open - 1);
    most = Math.max(most, columns.length + own, open, (line.match(/[[{]/g) ?? []).length);
  }
  return most;
}

function offsetInYaml(contents: unknown, place: Place): number | undefined {
  let offset = rangeOf(contents);
  let at = contents;
  for (const key of place) {
    if (isMap(at)) {
      const pair = at.items.find((each) => (isScalar(each.key) ? String(each.key.value) : '') === String(key));
      if (pair === undefined) return undefined;
      offset = rangeOf(pair.key);
      at = pair.value;
    } else if (isSeq(at) && typeof key === 'number' && key < at.items.length) {
      at = at.items[key];
      offset = rangeOf(at);
    } else return undefined;
  }
  return offset;
}

const rangeOf = (node: unknown): number | undefined =>
  isMap(node) || isSeq(node) || isScalar(node) ? (node.range?.[0] ?? undefined) : undefined;
