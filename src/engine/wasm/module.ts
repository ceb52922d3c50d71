/** Writes the WebAssembly binary format. WebAssembly Core Specification 2.0, chapter 5. */

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

const TYPE_CODE: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** Append an unsigned LEB128. */
export function unsignedLeb(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

/** Append a signed LEB128 of a 32-bit value. */
export function signedLeb(out: number[], value: number): void {
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      out.push(low);
      return;
    }
    out.push(low | 0x80);
  }
}

/** Append a signed LEB128 of a 64-bit value. */
export function signedLeb64(out: number[], value: bigint): void {
  let rest = BigInt.asIntN(64, value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
      out.push(low);
      return;
    }
    out.push(low | 0x80);
  }
}

export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export interface FunctionBody {
  readonly signature: Signature;
  readonly locals: readonly ValueType[];
  readonly code: Uint8Array;
  readonly exported?: string;
}

export interface ImportedFunction {
  readonly name: string;
  readonly signature: Signature;
}

export interface ModuleParts {
  readonly imports: readonly ImportedFunction[];
  readonly functions: readonly FunctionBody[];
  readonly globals: readonly { readonly type: ValueType; readonly name: string }[];
  /** Indices (imports counted first) that fill table 0 from slot 0. */
  readonly table: readonly number[];
  /** Pages of 64 KiB the memory has at least: one of any size from there on will do. */
  readonly memoryPages: number;
}

/** Assemble a module that imports `env.memory` and `env.*` functions and exports its named functions. */
export function assembleModule(parts: ModuleParts): Uint8Array {
  const types = new Map<string, number>();
  const typeBytes: number[][] = [];
  const typeOf = (signature: Signature): number => {
    const key = `${signature.params.join(',')}:${signature.results.join(',')}`;
    let index = types.get(key);
    if (index === undefined) {
      index = typeBytes.length;
      types.set(key, index);
      const bytes = [0x60];
      for (const list of [signature.params, signature.results]) {
        unsignedLeb(bytes, list.length);
        for (const type of list) bytes.push(TYPE_CODE[type]);
      }
      typeBytes.push(bytes);
    }
    return index;
  };
  // Type 0 is the handler's: (record) -> next record.
  typeOf({ params: ['i32'], results: ['i32'] });
  const imports: number[][] = [memoryImport(parts.memoryPages)];
  for (const { name, signature } of parts.imports) {
    const bytes: number[] = [...text('env'), ...text(name), 0x00];
    unsignedLeb(bytes, typeOf(signature));
    imports.push(bytes);
  }
  const functionTypes = parts.functions.map((f) => leb(typeOf(f.signature)));
  const first = parts.imports.length;
  const exports: number[][] = [];
  parts.functions.forEach((f, index) => {
    if (f.exported !== undefined) exports.push([...text(f.exported), 0x00, ...leb(first + index)]);
  });
  const globals = parts.globals.map(({ type }) =>
    type === 'i64' ? [TYPE_CODE.i64, 1, 0x42, 0, 0x0b] : [TYPE_CODE[type], 1, 0x41, 0, 0x0b],
  );
  parts.globals.forEach(({ name }, index) => {
    exports.push([...text(name), 0x03, ...leb(index)]);
  });
  const table = [[0x70, 0x00, ...leb(Math.max(1, parts.table.length))]];
  const elements = [[0x00, 0x41, 0, 0x0b, ...leb(parts.table.length), ...parts.table.flatMap(leb)]];
  return joined([
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, typeBytes),
    section(2, imports),
    section(3, functionTypes),
    section(4, table),
    section(6, globals),
    section(7, exports),
    section(9, elements),
    ...codeSection(parts.functions),
  ]);
}

type Bytes = readonly number[] | Uint8Array;

const lengthOf = (parts: readonly Bytes[]): number => parts.reduce((sum, { length }) => sum + length, 0);

function joined(parts: readonly Bytes[]): Uint8Array {
  const whole = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function leb(value: number): number[] {
  const out: number[] = [];
  unsignedLeb(out, value);
  return out;
}

function text(value: string): number[] {
  return [...leb(value.length), ...[...value].map((c) => c.charCodeAt(0))];
}

function memoryImport(pages: number): number[] {
  return [...text('env'), ...text('memory'), 0x02, 0x00, ...leb(pages)];
}

function section(id: number, entries: readonly (readonly number[])[]): number[] {
  if (entries.length === 0) return [];
  const body = leb(entries.length);
  for (const entry of entries) for (const byte of entry) body.push(byte);
  return [id, ...leb(body.length), ...body];
}

/** Section 10 in parts: its head, then the head and the code of each function. */
function codeSection(functions: readonly FunctionBody[]): Bytes[] {
  const body: Bytes[] = [leb(functions.length)];
  for (const { locals, code } of functions) {
    const head = localsOf(locals);
    body.push([...leb(head.length + code.length + 1), ...head], code, [0x0b]);
  }
  return [[10, ...leb(lengthOf(body))], ...body];
}

/** Declaration of local variables: runs of one type. */
function localsOf(locals: readonly ValueType[]): number[] {
  const runs: [ValueType, number][] = [];
  for (const type of locals) {
    const last = runs[runs.length - 1];
    if (last !== undefined && last[0] === type) last[1]++;
    else runs.push([type, 1]);
  }
  return [...leb(runs.length), ...runs.flatMap(([type, count]) => [...leb(count), TYPE_CODE[type]])];
}
