/** Telnet, as far as a console needs it: RFC 854, with ECHO (857), SUPPRESS-GO-AHEAD (858) and BINARY (856). */
const IAC = 255;
const [WILL, WONT, DO, DONT, SB, SE] = [251, 252, 253, 254, 250, 240];
const [BINARY, ECHO, SUPPRESS_GO_AHEAD] = [0, 1, 3];

/** What a server says first, as QEMU's does: characters come one by one, eight bits each, and the guest echoes. */
export const TELNET_GREETING = Uint8Array.from(
  [
    [IAC, WILL, ECHO],
    [IAC, WILL, SUPPRESS_GO_AHEAD],
    [IAC, WILL, BINARY],
    [IAC, DO, BINARY],
  ].flat(),
);

/** What was typed, without what clients say among themselves. A command may be cut by the end of a piece. */
export function telnetInput(): (bytes: Uint8Array) => Uint8Array {
  let state: 'data' | 'command' | 'option' | 'told' | 'told-command' = 'data';
  return (bytes) => {
    const typed: number[] = [];
    for (const byte of bytes) {
      if (state === 'data') {
        if (byte === IAC) state = 'command';
        else typed.push(byte);
      } else if (state === 'command') {
        if (byte === IAC) typed.push(byte);
        state = byte === SB ? 'told' : [WILL, WONT, DO, DONT].includes(byte) ? 'option' : 'data';
      } else if (state === 'option') state = 'data';
      else if (state === 'told') state = byte === IAC ? 'told-command' : 'told';
      else state = byte === SE ? 'data' : 'told';
    }
    return Uint8Array.from(typed);
  };
}

/** A byte of 255 is written twice. */
export const telnetOutput = (bytes: Uint8Array): Uint8Array =>
  bytes.includes(IAC) ? Uint8Array.from([...bytes].flatMap((byte) => (byte === IAC ? [IAC, IAC] : [byte]))) : bytes;
