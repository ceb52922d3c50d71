import type { Command } from 'commander';
import { collect } from './collect.ts';

/** The options of a command that opens a recorded run: where the images it names lie now. */
export const withImages = (command: Command): Command =>
  command
    .option(
      '--image <file|folder>',
      'where images that have moved are, found by their content; may be given again',
      collect,
    )
    .option('--kernel <file>', 'the kernel, and nothing else, is this file')
    .option('--initrd <file>', 'the same for the initial RAM disk')
    .option('--bios <file>', 'the same for the firmware')
    .option('--option-rom <file>', 'the same for the option ROM');

/** The option of a command that judges a trace. */
export const withCut = (command: Command): Command =>
  command.option('--accept-cut', 'take what there is of a trace whose recorder did not end for the whole');
