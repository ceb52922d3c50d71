import type { Command } from 'commander';

/** The options of a command that opens a recorded run: where the images it names lie now. */
export const withImages = (command: Command): Command =>
  command
    .option('--kernel <file>', 'the kernel, when it is no longer where it was')
    .option('--initrd <file>', 'the same for the initial RAM disk')
    .option('--bios <file>', 'the same for the firmware')
    .option('--option-rom <file>', 'the same for the option ROM');

/** The option of a command that judges a trace. */
export const withCut = (command: Command): Command =>
  command.option('--accept-cut', 'take what there is of a trace whose recorder did not end for the whole');
