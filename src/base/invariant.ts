/** A belief of ours that turned out false: a bug in Retrovisor, never the guest's doing. */
export class BrokenBelief extends Error {
  readonly evidence: Readonly<Record<string, unknown>>;
  constructor(belief: string, evidence: Readonly<Record<string, unknown>>) {
    super(`Broken belief: ${belief} ${describeEvidence(evidence)}`.trim());
    this.name = 'BrokenBelief';
    this.evidence = evidence;
  }
}

/** Stop at once when `holds` is false. `belief` is a sentence that is true when all is well. */
export function invariant(
  holds: boolean,
  belief: string,
  evidence: Readonly<Record<string, unknown>> = {},
): asserts holds {
  if (!holds) throw new BrokenBelief(belief, evidence);
}

/** The end of every `switch` over a union: adding a case breaks the build here. */
export function unreachable(impossible: never): never {
  throw new BrokenBelief('this case does not exist', { impossible });
}

function describeEvidence(evidence: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(evidence).map(([name, value]) => `${name}=${printable(value)}`);
  return parts.length === 0 ? '' : `(${parts.join(', ')})`;
}

function printable(value: unknown): string {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (typeof value === 'object') return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}` : v));
  return String(value);
}
