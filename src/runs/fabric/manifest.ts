import * as z from 'zod';
import { MOST } from '../../vmm/limits.ts';

export const MOST_MACHINES = 64;
export const MOST_LINKS = 1024;
/** Machines, and bridges. */
export const MOST_MEMBERS = MOST_MACHINES + MOST.bridges;
/** Cables, and ports of bridges. */
const MOST_JOINED = MOST_LINKS + MOST.bridges * MOST.ports;

/** A machine's name: what a path and an option can say. */
export const MACHINE_NAME = /^[A-Za-z][A-Za-z\d_-]{0,31}$/;

const END = z.object({ machine: z.number().int().min(0).max(MOST_MEMBERS), dev: z.string().max(64) }).readonly();

/** What a joint recording says of itself. */
export const JOINT_MANIFEST = z
  .object({
    format: z.literal('retrovisor-joint'),
    version: z.literal(1),
    machines: z
      .array(z.object({ name: z.string().regex(MACHINE_NAME, 'is no name of a machine') }).readonly())
      .min(1)
      .max(MOST_MEMBERS)
      .readonly(),
    links: z
      .array(
        z
          .object({
            ends: z.tuple([END, END]).readonly(),
            latencyNs: z.number().int().min(1),
            isInside: z.boolean().optional(),
          })
          .readonly(),
      )
      .max(MOST_JOINED)
      .readonly(),
  })
  .readonly()
  .refine(
    ({ machines, links }) => links.every(({ ends }) => ends.every(({ machine }) => machine < machines.length)),
    'a link leads to a machine that is not there',
  );

export type JointManifest = z.infer<typeof JOINT_MANIFEST>;
