import { expect, test } from 'vitest';
import { Prefixed } from '../../src/cli/prefixed.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('every line on a console of several has the name of who says it, and is one line', () => {
  let out = '';
  const printed = new Prefixed(['al', 'robert'], (some) => {
    out += Buffer.from(some).toString();
  });
  printed.print('al', bytes('one\r\ntwo\nthr'));
  printed.print('al', bytes('ee'));
  printed.print('robert', bytes('\r\nlogin: '));
  printed.print('al', bytes(' more\n'));
  printed.print('robert', bytes('x'));
  printed.endLine();
  printed.endLine();
  expect(out.replaceAll('\r', '').split('\n')).toEqual([
    ...[
      'al     | one',
      'al     | two',
      'al     | three',
      'robert | ',
      'robert | login: ',
      'al     |  more',
      'robert | x',
      '',
    ],
  ]);
});
