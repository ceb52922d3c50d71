import type { Origin } from '../events/origin.ts';
import type { Receiver } from '../events/schema.ts';
import { VOCABULARY } from '../events/vocabulary.ts';
import type { MachineContext } from './context.ts';
import { checkIntervention, intervene } from './intervene.ts';
import type { InputEvent } from './parts.ts';

/** What a receiver does. */
export type Receive = (context: MachineContext, event: InputEvent, origin: Origin) => void;

const nothing = (): void => undefined;

/**
 * A part of the machine for each receiver an input's row may name: what it does once the input has changed the state.
 * undefined: the machine does not notice.
 */
const RECEIVERS: { readonly [R in Receiver]: Receive | undefined } = {
  /** `sim:powered_on`, which is how a machine begins. */
  machine: nothing,
  'serial line': ({ vmm }, event, origin) => {
    if (event.kind === 'sim:serial_received') vmm.receiveSerial(event.line, origin);
  },
  keyboard: ({ vmm }, _event, origin) => vmm.receiveKeys(origin),
  'reset button': ({ vmm }, _event, origin) => vmm.pressReset(origin),
  'power button': ({ vmm }, _event, origin) => vmm.pressPowerButton(origin),
  debugger: (context, event, origin) => {
    if (event.kind === 'sim:intervened') intervene(context, event.what, event.value, origin);
  },
  /** The run is another from here on; the machine is the same. */
  timeline: undefined,
  /** The end is in the state. */
  recorder: nothing,
};

/** Who receives an input, as its row says; undefined: the machine does not notice. */
export const receiverOf = (event: InputEvent): Receive | undefined => RECEIVERS[VOCABULARY[event.kind].receiver];

/** Refuse what no part of the machine could take, before it is put on record. */
export function checkInput(context: MachineContext, event: InputEvent): void {
  if (event.kind === 'sim:intervened') checkIntervention(context, event.what, event.value);
}
