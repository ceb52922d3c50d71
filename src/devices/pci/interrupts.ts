/** Message-signalled interrupts of a function, by whichever of its capabilities a guest has turned on. */
import type { Draft } from '../../base/draft.ts';
import { capabilityOf, type MsiRow, type MsixRow, type Placed } from './capabilities.ts';
import type { ConfigLayout, PciFunctionState } from './function.ts';
import { type Message, NO_CAUSE } from './message.ts';
import { isMsiMasked, isMsiOn, isMsiPending, msiMessage, putMsiPending } from './msi.ts';
import { isMsixMasked, isMsixOn, isMsixPending, msixMessage, putMsixPending } from './msix.ts';

/** How a function raises its interrupts now; undefined: by its pin. */
export function messagesOf(
  { capabilities }: ConfigLayout,
  state: PciFunctionState,
): Placed<MsixRow> | Placed<MsiRow> | undefined {
  const msix = capabilityOf(capabilities, 'msix');
  if (msix !== undefined && isMsixOn(state, msix)) return msix;
  const msi = capabilityOf(capabilities, 'msi');
  return msi !== undefined && isMsiOn(state, msi) ? msi : undefined;
}

type Row = Placed<MsixRow> | Placed<MsiRow>;

/** Whether a vector's message has to wait. */
export const isMasked = (state: PciFunctionState, row: Row, vector: number): boolean =>
  row.kind === 'msix' ? isMsixMasked(state, row, vector) : isMsiMasked(state, row, vector);

/** Whether it does. */
export const isPending = (state: PciFunctionState, row: Row, vector: number): boolean =>
  row.kind === 'msix' ? isMsixPending(state, vector) : isMsiPending(state, row, vector);

/** The message of a vector, as the guest wrote it. */
export const messageOf = (state: PciFunctionState, row: Row, vector: number): Message =>
  row.kind === 'msix' ? msixMessage(state, vector) : msiMessage(state, row, vector);

/** The event that raised a vector which waits. */
export const causeOf = (state: PciFunctionState, row: Row, vector: number): number =>
  (row.kind === 'msix' ? state.msix!.causes[vector] : state.msiCauses![vector]) ?? NO_CAUSE;

/** sim:msi_pending. */
export function vectorPending(
  layout: ConfigLayout,
  state: Draft<PciFunctionState>,
  { vector, pending }: { readonly vector: number; readonly pending: boolean },
  cause: number,
): void {
  const row = messagesOf(layout, state);
  if (row === undefined) return;
  if (row.kind === 'msix') putMsixPending(state.msix!, vector, pending, cause);
  else {
    if (!isMsiPending(state, row, vector) || !pending) state.msiCauses![vector] = pending ? cause : NO_CAUSE;
    putMsiPending(state, row, vector, pending);
  }
}

/** Whether a function may ever raise interrupts by messages. */
export const hasMessages = ({ capabilities = [] }: ConfigLayout): boolean =>
  capabilities.some(({ kind }) => kind !== 'plain');
