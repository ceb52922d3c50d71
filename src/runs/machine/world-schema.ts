/** What a file that describes a network's world may say, and what a trace keeps of it. */
import * as z from 'zod';
import { VIRTUAL_TIME, virtualNs } from '../../base/virtual-time.ts';
import { SERVICE_KINDS } from '../../net/world/world.ts';
import { ipv4Of, ipv6Of } from '../../packets/addresses.ts';

/** More than a person writes; a header anybody may have written has no more. */
const MOST = {
  ...{ names: 10_000, hosts: 256, addresses: 16, services: 64, calls: 256, steps: 1000, files: 10_000 },
  ...{ text: 2 ** 16, name: 255, seconds: 1_000_000, users: 64, keys: 64, commands: 1000 },
} as const;

const SECOND = 1_000_000_000;

const ADDRESS = z
  .string()
  .max(MOST.name)
  .refine((text) => ipv4Of(text) !== undefined || ipv6Of(text) !== undefined, 'is no address of IPv4 or IPv6');

const PORT = z.number().int().min(1).max(65_535);
const CHANCE = z.number().min(0).max(1);
const COUNT = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Nanoseconds. */
const DURATION = z
  .number()
  .int()
  .min(0)
  .max(MOST.seconds * SECOND);

const NAME = z.strictObject({
  name: z.string().min(1).max(MOST.name),
  type: z.enum(['A', 'AAAA', 'CNAME', 'PTR']),
  value: z.string().min(1).max(MOST.name),
  ttl: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .exactOptional(),
});

/** `duration`: how the schema has times. */
const link = (duration: z.ZodType<number>) =>
  z.strictObject({
    latency: duration.exactOptional(),
    jitter: duration.exactOptional(),
    bandwidth: z.number().int().min(1000).max(1e12).exactOptional(),
    loss: CHANCE.exactOptional(),
    duplicate: CHANCE.exactOptional(),
    reorder: CHANCE.exactOptional(),
    mtu: z.number().int().min(68).max(1500).exactOptional(),
  });

const steps = (duration: z.ZodType<number>) =>
  z
    .array(
      z.discriminatedUnion('do', [
        z.strictObject({ do: z.literal('send'), text: z.string().max(MOST.text) }),
        z.strictObject({ do: z.literal('expect'), text: z.string().min(1).max(MOST.text) }),
        z.strictObject({ do: z.literal('wait'), for: duration }),
        z.strictObject({ do: z.literal('close') }),
      ]),
    )
    .max(MOST.steps)
    .readonly();

/** A line of `~/.ssh/authorized_keys`: behind the algorithm's name its length and name again, and 32 bytes. */
const PUBLIC_KEY = z
  .string()
  .max(1024)
  .regex(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[\w+/]{43}(?: .*)?$/, 'is no public key like `ssh-ed25519 AAAAC3...`');

/** Who may come in by ssh, and what there is to be run. */
const SSH = {
  users: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(MOST.name),
        password: z.string().max(MOST.name).exactOptional(),
        keys: z.array(PUBLIC_KEY).max(MOST.keys).readonly().exactOptional(),
      }),
    )
    .max(MOST.users)
    .readonly()
    .exactOptional(),
  commands: z
    .array(
      z.strictObject({
        command: z.string().min(1).max(1024),
        does: z.enum(['say', 'echo', 'hash']).exactOptional(),
        output: z.string().max(MOST.text).exactOptional(),
        errors: z.string().max(MOST.text).exactOptional(),
        status: z.number().int().min(0).max(255).exactOptional(),
      }),
    )
    .max(MOST.commands)
    .readonly()
    .exactOptional(),
  hostKey: z
    .string()
    .regex(/^[\da-f]{64}$/, 'is no key: 64 digits of 0-9 and a-f')
    .exactOptional(),
};

const service = <F extends z.ZodRawShape>(files: F) =>
  z.strictObject({
    kind: z.enum(SERVICE_KINDS),
    port: PORT,
    protocol: z.enum(['tcp', 'udp']).exactOptional(),
    stallAfter: COUNT.exactOptional(),
    resetAfter: COUNT.exactOptional(),
    ...SSH,
    ...files,
  });

/** `files`: how a service of HTTP names what it serves. */
const world = <F extends z.ZodRawShape>(duration: z.ZodType<number>, files: F) =>
  z.strictObject({
    names: z.array(NAME).max(MOST.names).readonly().exactOptional(),
    hosts: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(MOST.name).exactOptional(),
          addresses: z.array(ADDRESS).min(1).max(MOST.addresses).readonly(),
          services: z.array(service(files)).max(MOST.services).readonly().exactOptional(),
          calls: z
            .array(
              z.strictObject({
                at: duration,
                to: ADDRESS,
                port: PORT,
                retry: duration.exactOptional(),
                steps: steps(duration),
              }),
            )
            .max(MOST.calls)
            .readonly()
            .exactOptional(),
          link: link(duration).exactOptional(),
        }),
      )
      .max(MOST.hosts)
      .readonly()
      .exactOptional(),
    link: link(duration).exactOptional(),
    time: z.number().int().min(0).max(253_402_300_799).exactOptional(),
  });

/** A file that is served: what the device calls it, and what it holds. */
const SERVED = z.object({
  file: z.string().max(MOST.name),
  size: COUNT,
  sha256: z.string().regex(/^[\da-f]{64}$/),
});

/** Files by their names below a folder, with its mark before them. */
export const SERVED_FILES = z
  .record(z.string().max(MOST.name), SERVED)
  .refine((files) => Object.keys(files).length <= MOST.files, `more than ${MOST.files} files`);

/** A world as a trace's header has it: its files by what they hold. */
export const RECORDED_WORLD = world(DURATION, { files: SERVED_FILES.exactOptional() });

/** Times as people write them. */
const WRITTEN_DURATION = z
  .string()
  .regex(VIRTUAL_TIME, 'is no time like 300us, 2ms or 1.5s')
  // What is not exact is far too long.
  .transform((text) => virtualNs(text) ?? Number.MAX_SAFE_INTEGER)
  .pipe(DURATION);

/** A world as a person writes it: a service of HTTP names a folder, times have units. */
export const WRITTEN_WORLD = world(WRITTEN_DURATION, { folder: z.string().min(1).max(MOST.name).exactOptional() });

export type WrittenWorld = z.infer<typeof WRITTEN_WORLD>;
