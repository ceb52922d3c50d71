import { printedBy } from '../../replay/export/print-pattern.ts';
import { evaluate } from '../look/vantage.ts';
import type { DebugSession } from '../session.ts';
import type { StopWords } from './stops.ts';

/** What a stop's words mean where a session stands. */
export const wordsIn = (session: DebugSession): StopWords => ({
  vcpu: session.vcpu,
  evaluate: (text) => evaluate(session, text),
  hasSymbol: (name) => session.symbols.addressOf(name) !== undefined,
  *printed(pattern) {
    const found = yield* printedBy(session.run.events, pattern);
    return new Set(found.map(({ seq }) => seq));
  },
});
