import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import type { DebugSession } from '../../src/debugger/session.ts';

/** What a frame is called and where in its source it is. */
export interface FrameSaid {
  readonly address: string | undefined;
  readonly name: string;
  readonly line: string | undefined;
}

/** Our own `bt`, where a session stands. */
export const ours = (session: DebugSession): (FrameSaid & { readonly isInterrupted: boolean })[] =>
  answerPrompt(session, 'bt')
    .split('\n')
    .map((text) => {
      const [, address, name = '', line, note = ''] =
        /^#\d+ {2}(0x[0-9a-f]+)(?: <([^+>]+)[^>]*>)?(?: at (\S+))?(.*)$/.exec(text) ?? [];
      return { address, name, line, isInterrupted: note.includes('(interrupted)') };
    });

/** What gdb's `bt` prints. It leaves out the address at the beginning of a line. */
export const theirs = (text: string): FrameSaid[] =>
  [
    ...text.matchAll(
      /^#\d+ +(?:(0x[0-9a-f]+) in )?(<signal handler called>|[\w.]+(?:\[\w+\])?)(?: \([^)]*\))?(?: at (\S+))?$/gm,
    ),
  ].map(([, address, name = '', line]) => ({ address: address?.replace(/^0x0+/, '0x'), name, line }));

/** gdb keeps words of the stack from one place to the next, if it is not told that they change. */
export const OF_GDB = [
  'set stack-cache off',
  'set print frame-arguments none',
  'set print entry-values no',
  'set backtrace past-main on',
];
