import { NO_SYMBOLS, readSymbols, type SymbolTable } from '../debugger/symbols/symbols.ts';
import { readImage } from '../host/files.ts';

/** Names of addresses in a file; none where none is given. */
export const symbolsIn = (path: string | undefined): SymbolTable =>
  path === undefined ? NO_SYMBOLS : readSymbols(path, readImage('read the symbols', path), 0n);
