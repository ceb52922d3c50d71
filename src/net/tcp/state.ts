/** The state of all connections. */
export type TcpState = Readonly<Record<string, never>>;

/** As it begins. */
export const tcpAtReset = (): TcpState => ({});
