import { bytesText, type Say, type Station } from './station.ts';

/** A card is announced, and its neighbours alone: what goes over its wire. It counts nothing of that. */
export async function announced(
  station: Station,
  say: Say,
  { name, counts }: { readonly name: string; readonly counts: () => Promise<string> },
): Promise<void> {
  await station.place();
  for (const [rounds, interfaces] of [[1], [3, name], [0], [1, `another,${name}`], [1, 'another'], [5]] as const) {
    await station.machine.announce(rounds, interfaces);
    for (const frame of await station.machine.frames()) say(`frame ${frame.length} ${bytesText(frame)}`);
    say(`${rounds} of ${interfaces ?? 'all'}: raised ${await station.isRaised()} ${await counts()}`);
  }
  await station.machine.link(false);
  await station.machine.announce(1);
  say(`no cable: ${(await station.machine.frames()).length} frames`);
}
