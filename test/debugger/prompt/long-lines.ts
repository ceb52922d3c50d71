/** Lines that take long on a long run: each command of the prompt that runs it again or reads all of something. */
export const LONG_LINES: readonly string[] = [
  'at end',
  'continue',
  'find last break 0x12345',
  'history kvm.vcpus.0',
  'diff start end',
  'at sim:powered_off',
  'step 400000000',
  'back 400000000',
  'continue sim:powered_off nowhere',
  'rcontinue',
  'rcontinue sim:powered_off nowhere',
  'find next watch phys:0x9f000 if 0',
  'find last watch $r15 if 0',
  'why phys:0x9f000',
  'why $cr3',
  'history phys:0x9f000',
  'history $rax',
  'at print "no such text"',
  'find last break print /no such text/',
  'events 20 kvm_pio nowhere',
  'kallsyms',
  'disk history 0',
  'chain #9',
];

/** Those that are answered at once, wherever one stands. */
export const QUICK_COMMANDS: readonly string[] = ['break', 'tbreak', 'watch', 'delete', 'stops', 'vcpu', 'vm', 'help'];
