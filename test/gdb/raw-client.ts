import { connect } from 'node:net';
import { packetOf } from '../../src/gdb/packet.ts';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Send text to a port of this machine and hear until it is enough, or until the other side ends. */
export const talk = (port: number, text: string, isEnough: (heard: string) => boolean): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => void socket.write(bytesOf(text)));
    let heard = '';
    socket.on('data', (data) => {
      heard += data.toString('latin1');
      if (isEnough(heard)) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(heard));
  });

const NO_ACKNOWLEDGEMENTS = 'QStartNoAckMode';

/** The one client of a server, which waits for each answer. */
export interface RawClient {
  /** The body of what answers a packet; undefined when the server ended instead. */
  ask(body: string): Promise<string | undefined>;
  end(): Promise<void>;
}

/** Be the one client of a server. The one before may not have left yet: refused, try again. */
export async function rawClient(port: number): Promise<RawClient> {
  for (;;) {
    const client = joined(port);
    if ((await client.ask(NO_ACKNOWLEDGEMENTS)) === 'OK') return client;
    await client.end();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function joined(port: number): RawClient {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  let waiting: ((answer: string | undefined) => void) | undefined;
  const settle = (answer: string | undefined): void => {
    const told = waiting;
    waiting = undefined;
    told?.(answer);
  };
  const closed = new Promise<void>((resolve) => void socket.on('close', () => resolve()));
  socket.on('error', () => undefined);
  socket.on('close', () => settle(undefined));
  socket.on('data', (data) => {
    heard += data.toString('latin1');
    for (let found = PACKET.exec(heard); found !== null; found = PACKET.exec(heard)) {
      heard = heard.slice(found.index + found[0].length);
      // Console output comes before an answer.
      if (!/^O[0-9a-f]/.test(found[1] as string)) settle(found[1]);
    }
  });
  return {
    ask: (body) =>
      new Promise((resolve) => {
        if (socket.destroyed) return resolve(undefined);
        waiting = resolve;
        socket.write(bytesOf(packetOf(body)));
      }),
    end() {
      socket.destroy();
      return closed;
    },
  };
}

const PACKET = /\$([^#]*)#../s;
