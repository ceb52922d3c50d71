import { finish } from '../../base/work.ts';
import { type GuestView, readLinear } from '../../machine/guest-view.ts';
import { kernelSymbols } from './kallsyms.ts';
import { type NamedAddress, symbolTable, type SymbolTable } from './symbols.ts';
import { callFrames, type OrcTables } from './call-frames.ts';
import { type CodeRange, symbolFile } from './symbol-file.ts';

/** The names of the Linux kernel that runs, as a file for gdb. */
export interface KernelFile {
  readonly bytes: Uint8Array;
  readonly count: number;
  /** Its ORC tables were found: gdb can unwind its stack. */
  readonly unwinds: boolean;
}

/**
 * The file of a kernel whose kallsyms lie in memory; undefined when there is none. `elsewhere` stands where the
 * kernel's own page tables may be in force when they are not here, and says whether it could.
 */
export function kernelFile(view: GuestView, vcpu: number, elsewhere: () => boolean): KernelFile | undefined {
  const found = finish(kernelSymbols(view));
  if (found.length === 0) return undefined;
  const table = symbolTable(found);
  const code = codeRanges(table);
  let tables = orcTables(view, vcpu, table);
  while (tables === undefined && elsewhere()) tables = orcTables(view, vcpu, table);
  const functions = found.filter(({ address }) => code.some(({ start, end }) => address >= start && address <= end));
  const frames = tables === undefined ? undefined : callFrames(tables, inOrder(functions));
  return { bytes: symbolFile(found, code, frames), count: found.length, unwinds: frames !== undefined };
}

/** One for each address, in order. */
function inOrder(functions: readonly NamedAddress[]): NamedAddress[] {
  const sorted = [...functions].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  return sorted.filter(({ address }, index) => address !== sorted[index - 1]?.address);
}

/** Where the kernel says its code lies. include/asm-generic/sections.h. */
function codeRanges(table: SymbolTable): CodeRange[] {
  const names = [
    ['_stext', '_etext'],
    ['_sinittext', '_einittext'],
  ] as const;
  return names.flatMap(([first, last]) => {
    const start = table.addressOf(first);
    const end = table.addressOf(last);
    return start === undefined || end === undefined ? [] : [{ start, end }];
  });
}

function orcTables(view: GuestView, vcpu: number, table: SymbolTable): OrcTables | undefined {
  const between = (first: string, last: string) => {
    const start = table.addressOf(first);
    const end = table.addressOf(last);
    if (start === undefined || end === undefined) return undefined;
    const length = Number(end - start);
    const bytes = readLinear(view, vcpu, start, length);
    return bytes.length === length ? { start, bytes } : undefined;
  };
  const addresses = between('__start_orc_unwind_ip', '__stop_orc_unwind_ip');
  const entries = between('__start_orc_unwind', '__stop_orc_unwind');
  return addresses === undefined || entries === undefined ? undefined : { addresses, entries: entries.bytes };
}
