import { writeFileSync } from 'node:fs';
import { Problem } from '../../base/problem.ts';
import { worldProblem } from '../../host/files.ts';
import { type ImagePaths, openRecordedRun, openTimeline } from '../../host/recorded-run.ts';
import { callFrames, type OrcTables } from '../gdb/call-frames.ts';
import { type CodeRange, symbolFile } from '../gdb/symbol-file.ts';
import { readLinear } from '../guest-view.ts';
import { kernelSymbols } from '../kallsyms.ts';
import { type DebugSession, openDebugSession } from '../session.ts';
import { type NamedAddress, symbolTable, type SymbolTable } from '../symbols.ts';
import type { Print } from './trace-commands.ts';

/** What `retrovisor symbols` is asked for. */
export interface SymbolsOptions extends ImagePaths {
  /** A place as the debugger reads it. */
  readonly at: string;
  readonly output: string;
}

/** Steps back from a place where the kernel's address space is gone, as after a reboot. */
const BACK = [0, 1_000, 30_000, 1_000_000, 30_000_000];

/** `retrovisor symbols`: the recorded kernel's own names as a file for gdb. Returns the process status. */
export function symbols(path: string, options: SymbolsOptions, print: Print): number {
  const session = openDebugSession(openTimeline(openRecordedRun(path, options)));
  session.at(options.at);
  const found = kernelSymbols(session.view);
  if (found.length === 0) {
    throw new Problem(
      `No kernel's kallsyms is in memory at ${options.at}: Linux 6.1 to 6.3 are known. Try another --at.`,
    );
  }
  const table = symbolTable(found);
  const code = codeRanges(table);
  const tables = orcTables(session, table);
  const functions = found.filter(({ address }) => code.some(({ start, end }) => address >= start && address <= end));
  const frames = tables === undefined ? undefined : callFrames(tables, inOrder(functions));
  try {
    writeFileSync(options.output, symbolFile(found, code, frames));
  } catch (error) {
    throw worldProblem('write', options.output, error);
  }
  const unwind = frames === undefined ? ' Its ORC tables were not found: backtraces are guesses.' : '';
  print(`${options.output}: ${found.length} symbols of the recorded kernel.${unwind}`);
  return 0;
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

function orcTables(session: DebugSession, table: SymbolTable): OrcTables | undefined {
  const { tick } = session.now;
  for (const back of BACK) {
    if (back > 0) session.step(-Math.min(tick, back));
    const addresses = between(session, table, '__start_orc_unwind_ip', '__stop_orc_unwind_ip');
    const entries = between(session, table, '__start_orc_unwind', '__stop_orc_unwind');
    if (addresses !== undefined && entries !== undefined) {
      return { addresses, entries: entries.bytes };
    }
  }
  return undefined;
}

function between(session: DebugSession, table: SymbolTable, first: string, last: string) {
  const start = table.addressOf(first);
  const end = table.addressOf(last);
  if (start === undefined || end === undefined) return undefined;
  const length = Number(end - start);
  const bytes = readLinear(session.view, session.vcpu, start, length);
  return bytes.length === length ? { start, bytes } : undefined;
}
