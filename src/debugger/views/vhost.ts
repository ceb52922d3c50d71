/** Taps whose rings the modelled kernel serves, as QEMU's `info virtio-vhost-queue-status` tells of each ring. */
import { onOneLine } from '../../base/printable.ts';
import { sourceName, vhostSource } from '../../events/stamped.ts';
import type { GuestView } from '../../machine/guest-view.ts';
import type { VhostState, VringState } from '../../vmm/vhost/state.ts';
import { viewOf } from './view.ts';

interface VhostSeen {
  /** The tap, the card at the other end of its wire, the kernel's worker. */
  readonly client: string;
  readonly card: string | undefined;
  readonly worker: string;
  readonly vhost: VhostState;
}

function vhostsSeen({ view }: { readonly view: GuestView }): readonly VhostSeen[] {
  const { config, vmm } = view.machine.state;
  return (config.net ?? []).flatMap(({ name: client, peer: card, vhost: index }) => {
    const vhost = vmm.net?.vhosts?.[client];
    if (index === undefined || vhost === undefined) return [];
    return [{ client, card, worker: sourceName(vhostSource(index)), vhost: structuredClone(vhost) }];
  });
}

const NAMES = ['rx', 'tx'] as const;

const hex = (value: number): string => `0x${value.toString(16)}`;

const fd = (value: number): string => (value < 0 ? 'none' : `${value}`);

function vhostText({ client, card, worker, vhost }: VhostSeen): string[] {
  const [low, high] = vhost.features;
  const isOn = vhost.vrings.some(({ hasBackend }) => hasBackend);
  const features = hex(high * 2 ** 32 + low);
  return [
    `${client}: ${worker} of ${card ?? 'nobody'} ${isOn ? `serves rings, features ${features}` : 'serves nothing'}`,
    ...vhost.table.map(({ gpa, size, hva }) => `    memory ${hex(gpa)}-${hex(gpa + size - 1)} at ${hex(hva)}`),
    ...vhost.vrings.map((vring, at) => `    ${NAMES[at]}: ${ringText(vring)}`),
  ].map(onOneLine);
}

function ringText({ num, kick, call, masked, ...vring }: VringState): string {
  const { lastAvail, availIdx, lastUsed, done, isQuiet, errors } = vring;
  const told = call >= 0 && call === masked ? `${call} (masked)` : fd(call);
  return (
    `num ${num} kick ${fd(kick)} call ${told} last avail ${lastAvail} avail ${availIdx} used ${lastUsed} ` +
    `taken ${done.length} notifications ${isQuiet ? 'off' : 'on'} errors ${errors}`
  );
}

export const VHOSTS = viewOf({
  usage: 'vhost',
  help: "taps whose rings the modelled kernel serves: its worker, its memory table, each ring's indices",
  also: ['info vhost'],
  look: vhostsSeen,
  print: (vhosts) => (vhosts.length === 0 ? 'There is no vhost.' : vhosts.flatMap(vhostText).join('\n')),
});
