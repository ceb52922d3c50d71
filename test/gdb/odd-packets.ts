/** Numbers that have gone wrong in some stub: nothing, the ends of 32 and 64 bits, more than 64 bits, no number. */
const NUMBERS = [
  ...['0', '1', '7', '8', 'fff', '1000', '10ff48', 'ffff', '10000', '20000', '100000', '7fffffff', '80000000'],
  ...['fee00020', 'fffffffe', 'ffffffff', '100000000', '1fffffffffffff', '20000000000000', '7fffffffffffffff'],
  ...['8000000000000000', 'fffffffffffff000', 'fffffffffffffff8', 'ffffffffffffffff', '10000000000000000'],
  ...['ffffffffffffffffffffffffffffffff', '-1', '', 'x', '0x10', ' 1', '1.5', '__proto__', 'constructor'],
];

/** Packets of the protocol, with `N` where a number goes. */
const FORMS = [
  ...[
    'g',
    '?',
    'p N',
    'P N=N',
    'P10=N',
    'G N',
    'm N,N',
    'M N,N:N',
    'M N,1:77',
    'X N,N:N',
    'X N,0:',
    'x N,N',
    'H gN',
    'H cN',
  ],
  ...[
    'T N',
    'Z N,N,N',
    'Z 0,N,1',
    'Z 0,N,1;X N,N',
    'Z 0,N,1;X3,220127',
    'Z 2,N,N',
    'Z 3,N,N',
    'Z 4,N,N',
    'z N,N,N',
    'z 2,N,N',
  ],
  ...[
    'vCont?',
    'vCont;N',
    'vCont;s:N',
    'vCont;rN,N:N',
    'vCont;t',
    'vCont;s:1;c:N',
    'vCont;C N;N',
    'vMustReplyEmpty',
    'vFlashErase:N,N',
  ],
  ...[
    'vFile:open:2f746d702f78,N,N',
    'vFile:pwrite:N,N,N',
    'vFile:unlink:2f746d702f78',
    'vFile:setfs:N',
    'vRun;N',
    'vAttach;N',
  ],
  ...[
    'qCRC:N,N',
    'qSearch:memory:N;N;N',
    'qXfer:features:read:target.xml:N,N',
    'qXfer:features:read:../../../etc/passwd:N,N',
  ],
  ...[
    'qXfer:memory-map:read::N,N',
    'qXfer:features:read:N',
    'qThreadExtraInfo,N',
    'qfThreadInfo',
    'qsThreadInfo',
    'qGetTLSAddr:N,N,N',
  ],
  ...[
    'qRcmd,N',
    'qSupported:N',
    'qSymbol::N',
    'QPassSignals:N',
    'QTDP:N:N:E:N:N',
    'QTinit',
    'Qqemu.PhyMemMode:N',
    'QNonStop:N',
    's N',
    'bs',
    'N',
  ],
];

/** What is typed after `monitor`, with `N` likewise. */
const COMMANDS = [
  ...[
    'when',
    'seek N',
    'seek eN',
    'seek N%',
    'events N',
    'last-write N N',
    'fork',
    'fork N',
    'fork save N',
    'fork save ../N',
  ],
  ...[
    'fork save /tmp/N',
    'fork discard',
    'symbols N',
    'symbols ../../N',
    'x/N N',
    'xp/N N',
    'x/Ni N',
    'translate N',
    'regs N',
    'digest',
  ],
  ...['check', 'help', 'N', 'constructor', '__proto__ N', 'mtree', 'lapic N', 'bt N', 'disas N N', 'vmcs N'],
];

const hexadecimal = (text: string): string =>
  Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** So many packets that no gdb sends, the same for the same seed. */
export function* oddPackets(seed: number, count: number): Generator<string> {
  let state = seed;
  const any = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 12) % below;
  };
  const oneOf = (from: readonly string[]): string => from[any(from.length)] as string;
  const filled = (form: string): string => form.replace(/N/g, () => oneOf(NUMBERS));
  for (let made = 0; made < count; made += 1) {
    if (any(5) === 0) yield `qRcmd,${hexadecimal(filled(oneOf(COMMANDS)))}`;
    else {
      const packet = filled(oneOf(FORMS)).replace(' ', '');
      yield any(8) === 0 ? mangled(packet, any) : packet;
    }
  }
}

/** A packet with a character changed, lost or repeated. */
function mangled(packet: string, any: (below: number) => number): string {
  const at = any(packet.length + 1);
  const way = any(3);
  if (way === 0) return packet.slice(0, at) + String.fromCharCode(any(256)) + packet.slice(at + 1);
  return way === 1 ? packet.slice(0, at) + packet.slice(at + 1) : packet.slice(0, at).repeat(2) + packet.slice(at);
}
