import { commaValue, refuseOthers } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** What is done when a guest reboots or powers off. */
export interface Actions {
  readonly reboots: boolean;
  /** The machine is left standing. */
  readonly keepsOff: boolean;
}

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  reboot: ['reset', 'shutdown'],
  shutdown: ['poweroff', 'pause'],
  panic: ['pause', 'shutdown', 'exit-failure', 'none'],
  watchdog: ['reset', 'shutdown', 'poweroff', 'inject-nmi', 'pause', 'debug', 'none'],
};

/** `-action EVENT=ACTION`, `-no-reboot` and `-no-shutdown`. */
export function actionsAsked(
  values: readonly string[],
  { noReboot, noShutdown }: { readonly noReboot: boolean; readonly noShutdown: boolean },
): Actions & { readonly warnings: string[] } {
  const asked = new Map<string, string>();
  for (const text of values) {
    const value = commaValue(text);
    refuseOthers('-action', value, Object.keys(KNOWN));
    for (const [event, action] of value.properties) {
      if (KNOWN[event]?.includes(action) !== true) {
        throw new UsageProblem(`-action ${text}: ${event} can be ${KNOWN[event]?.join(' or ')}.`);
      }
      asked.set(event, action);
    }
    if (value.name !== undefined) {
      throw new UsageProblem(`-action ${text}: write EVENT=ACTION, like reboot=shutdown or shutdown=pause.`);
    }
  }
  const without = ['panic', 'watchdog'].filter((event) => asked.has(event));
  return {
    reboots: !noReboot && asked.get('reboot') !== 'shutdown',
    keepsOff: noShutdown || asked.get('shutdown') === 'pause',
    warnings: without.map((event) => `There is no ${event} device: -action ${event}= has no effect.`),
  };
}
