/** Status of a command that found a run to differ from its record. */
export const DIVERGED = 3;

/** What the status of a command says. */
export const STATUSES: readonly { readonly status: string; readonly means: string }[] = [
  {
    status: '0',
    means: 'All went well. Of run: the guest powered off, reset under -no-reboot, or was ended by a person.',
  },
  { status: '1', means: 'A file cannot be used, or a trace is damaged.' },
  { status: '2', means: 'The command line cannot be understood.' },
  { status: '3', means: 'A run diverged from its record, two traces or disks differ, or a disk failed its check.' },
  {
    status: '4',
    means:
      'The guest cannot go on: a triple fault, a failed VM entry, all processors halted for good, a drive that ' +
      'failed and stopped the machine.',
  },
  { status: '70', means: "A bug of Retrovisor's own." },
  {
    status: '129, 130, 131, 141, 143',
    means: 'Ended by SIGHUP, SIGINT, SIGQUIT, a broken pipe, SIGTERM: 128 + number.',
  },
  { status: '(v << 1) | 1', means: 'The guest wrote v to isa-debug-exit.' },
];
