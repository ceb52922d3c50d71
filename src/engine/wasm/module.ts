/** Writes the WebAssembly binary format. WebAssembly Core Specification 2.0, chapter 5. */
import { CodeBuffer } from './code-buffer.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

const TYPE_CODE: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
/** By the numbers of `values.ts`. */
const LOCAL_CODE = [0x7f, 0x7e, 0x7d, 0x7c, 0x7b] as const;
const MAGIC = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const FUNCREF = 0x70;

export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export interface FunctionBody {
  readonly signature: Signature;
  /** Their types as numbers; see `values.ts`. */
  readonly locals: readonly number[];
  readonly code: Uint8Array;
  readonly exported?: string;
}

export interface ImportedFunction {
  readonly name: string;
  readonly signature: Signature;
}

export interface Global {
  readonly type: 'i32' | 'i64';
  readonly name: string;
}

export interface ModuleParts {
  readonly imports: readonly ImportedFunction[];
  readonly functions: readonly FunctionBody[];
  /** Made here and exported. */
  readonly globals?: readonly Global[];
  /** Of `env`, numbered before those made here. */
  readonly importedGlobals?: readonly Global[];
  /** Table 0: made here and exported as `table`, or that of `env`; of at least so many slots. */
  readonly table?: { readonly imported: boolean; readonly slots: number };
  /** Functions by index (imports counted first), to be put into table 0, each run of them from a slot on. */
  readonly elements?: readonly { readonly slot: number; readonly functions: readonly number[] }[];
  /** A section that WebAssembly does not look into. */
  readonly custom?: { readonly name: string; readonly bytes: Uint8Array };
  /** Pages of 64 KiB the memory has at least: one of any size from there on will do. */
  readonly memoryPages: number;
}

/** Function types of a module, each once. */
class Types {
  private readonly known = new Map<string, number>();
  private readonly entries: Signature[] = [];

  of(signature: Signature): number {
    const key = `${signature.params.join()}:${signature.results.join()}`;
    let index = this.known.get(key);
    if (index === undefined) {
      index = this.entries.push(signature) - 1;
      this.known.set(key, index);
    }
    return index;
  }
  write(out: CodeBuffer): void {
    out.unsigned(this.entries.length);
    for (const { params, results } of this.entries) {
      out.byte(0x60);
      for (const list of [params, results]) {
        out.unsigned(list.length);
        for (const type of list) out.byte(TYPE_CODE[type]);
      }
    }
  }
}

/** Assemble a module that imports `env.memory` and what is named of `env`, and exports its named functions. */
export function assembleModule(parts: ModuleParts): Uint8Array {
  const { imports, functions, globals = [], table, elements = [], custom } = parts;
  const types = new Types();
  // Type 0 is the handler's: (record) -> next record.
  types.of({ params: ['i32'], results: ['i32'] });
  const ofImports = imports.map(({ signature }) => types.of(signature));
  const ofFunctions = functions.map(({ signature }) => types.of(signature));
  const out = new CodeBuffer(64 * 1024);
  out.append(MAGIC);
  section(out, 1, (body) => types.write(body));
  section(out, 2, (body) => writeImports(body, parts, ofImports));
  section(out, 3, (body) => vector(body, ofFunctions, (type) => body.unsigned(type)));
  if (table?.imported === false)
    section(out, 4, (body) => vector(body, [table.slots], (n) => limits(body, FUNCREF, n)));
  section(out, 6, (body) => vector(body, globals, (global) => writeGlobal(body, global)));
  section(out, 7, (body) => writeExports(body, parts));
  section(out, 9, (body) => vector(body, elements, (each) => writeElements(body, each)));
  section(out, 10, (body) => vector(body, functions, (each) => writeFunction(body, each)));
  if (custom !== undefined) {
    section(out, 0, (body) => {
      text(body, custom.name);
      body.append(custom.bytes);
    });
  }
  return out.copy();
}

function section(out: CodeBuffer, id: number, write: (body: CodeBuffer) => void): void {
  const body = new CodeBuffer();
  write(body);
  out.reserve();
  out.byte(id);
  out.unsigned(body.length);
  out.append(body.copy());
}

function vector<T>(out: CodeBuffer, entries: readonly T[], write: (entry: T) => void): void {
  out.unsigned(entries.length);
  for (const entry of entries) {
    out.reserve();
    write(entry);
  }
}

/** A table's or the memory's type and least size. */
function limits(out: CodeBuffer, type: number | undefined, least: number): void {
  if (type !== undefined) out.byte(type);
  out.byte(0);
  out.unsigned(least);
}

function writeImports(out: CodeBuffer, parts: ModuleParts, types: readonly number[]): void {
  const { imports, importedGlobals = [], table } = parts;
  const hasTable = table?.imported === true;
  const entry = (name: string, kind: number): void => {
    text(out, 'env');
    text(out, name);
    out.byte(kind);
  };
  out.unsigned(1 + imports.length + importedGlobals.length + (hasTable ? 1 : 0));
  entry('memory', 2);
  limits(out, undefined, parts.memoryPages);
  if (hasTable) {
    entry('table', 1);
    limits(out, FUNCREF, table.slots);
  }
  for (const [at, { name }] of imports.entries()) {
    entry(name, 0);
    out.unsigned(types[at] as number);
  }
  for (const { name, type } of importedGlobals) {
    entry(name, 3);
    out.byte(TYPE_CODE[type]);
    out.byte(1);
  }
}

function writeGlobal(out: CodeBuffer, { type }: Global): void {
  out.byte(TYPE_CODE[type]);
  out.byte(1);
  out.byte(type === 'i64' ? 0x42 : 0x41);
  out.byte(0);
  out.byte(0x0b);
}

function writeExports(out: CodeBuffer, { imports, functions, globals = [], table }: ModuleParts): void {
  const named = functions.flatMap(({ exported }, at) => (exported === undefined ? [] : [{ exported, at }]));
  const hasTable = table?.imported === false;
  out.unsigned(named.length + globals.length + (hasTable ? 1 : 0));
  for (const { exported, at } of named) {
    text(out, exported);
    out.byte(0);
    out.unsigned(imports.length + at);
  }
  for (const [at, { name }] of globals.entries()) {
    text(out, name);
    out.byte(3);
    out.unsigned(at);
  }
  if (!hasTable) return;
  text(out, 'table');
  out.byte(1);
  out.unsigned(0);
}

function writeElements(out: CodeBuffer, { slot, functions }: NonNullable<ModuleParts['elements']>[number]): void {
  out.byte(0);
  out.byte(0x41);
  out.signed(slot);
  out.byte(0x0b);
  vector(out, functions, (index) => out.unsigned(index));
}

function writeFunction(out: CodeBuffer, { locals, code }: FunctionBody): void {
  const head = new CodeBuffer(64);
  writeLocals(head, locals);
  out.unsigned(head.length + code.length + 1);
  out.append(head.copy());
  out.append(code);
  out.reserve();
  out.byte(0x0b);
}

/** Declaration of local variables: runs of one type. */
function writeLocals(out: CodeBuffer, locals: readonly number[]): void {
  const runs: { type: number; count: number }[] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count += 1;
    else runs.push({ type, count: 1 });
  }
  vector(out, runs, ({ type, count }) => {
    out.unsigned(count);
    out.byte(LOCAL_CODE[type] as number);
  });
}

/** A name, of ASCII. */
function text(out: CodeBuffer, value: string): void {
  out.reserve();
  out.unsigned(value.length);
  for (let at = 0; at < value.length; at += 1) {
    out.reserve();
    out.byte(value.charCodeAt(at));
  }
  out.reserve();
}
