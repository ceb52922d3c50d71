import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Peer } from '../../src/host/peer.ts';
import { openPseudoTerminal } from '../../src/host/pseudo-terminal.ts';
import { noPseudoTerminals, without } from '../stepping-aside.ts';

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Somebody at the end that has a path, who never waits for it. */
function attach(path: string) {
  const file = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  return {
    file,
    type: (bytes: Uint8Array) => writeSync(file, bytes),
    read(): Buffer {
      const bytes = Buffer.alloc(1 << 17);
      try {
        return bytes.subarray(0, readSync(file, bytes));
      } catch {
        return bytes.subarray(0, 0);
      }
    },
    leave: () => closeSync(file),
  };
}

const typedAt = (peer: Peer): Buffer => Buffer.concat(peer.take());

describe('a pseudo terminal', without(noPseudoTerminals()), () => {
  const opened: Peer[] = [];
  const open = (rouse: () => void = () => undefined): Peer => {
    const peer = openPseudoTerminal('serial0', rouse);
    opened.push(peer);
    return peer;
  };
  afterEach(() => {
    for (const peer of opened.splice(0)) peer.close();
  });

  test('every byte passes as it is, both ways, and none comes back', () => {
    const peer = open();
    const person = attach(peer.where);
    expect(typedAt(peer)).toHaveLength(0);
    peer.write(ALL_BYTES);
    expect(person.read()).toEqual(Buffer.from(ALL_BYTES));
    person.type(ALL_BYTES);
    expect(typedAt(peer)).toEqual(Buffer.from(ALL_BYTES));
    expect(person.read()).toHaveLength(0);
    const { stdout } = spawnSync('stty', ['size'], { stdio: [person.file, 'pipe', 'pipe'], encoding: 'utf8' });
    expect(stdout).toBe('24 80\n');
    person.leave();
  });

  test('people come and leave; what is said to nobody is lost', () => {
    const peer = open();
    for (const name of ['first', 'second']) {
      peer.take();
      expect(peer.isHere).toBe(false);
      peer.write(Buffer.from(`before ${name}`));
      const person = attach(peer.where);
      person.type(Buffer.from(`typed by ${name}`));
      expect(String(typedAt(peer))).toBe(`typed by ${name}`);
      expect(peer.isHere).toBe(true);
      peer.write(Buffer.from(`to ${name}`));
      expect(String(person.read())).toBe(`to ${name}`);
      person.leave();
    }
  });

  test('what somebody types and leaves behind at once is heard', async () => {
    const rouse = vi.fn();
    const peer = open(rouse);
    const person = attach(peer.where);
    person.type(Buffer.from('a line\n'));
    person.leave();
    await vi.waitFor(() => expect(rouse).toHaveBeenCalled());
    expect(String(typedAt(peer))).toBe('a line\n');
    expect(peer.isHere).toBe(false);
  });

  test('a slow reader gets all of it, and one who leaves takes the rest along', () => {
    const peer = open();
    const person = attach(peer.where);
    peer.take();
    const much = Buffer.alloc(200_000, ALL_BYTES);
    peer.write(much);
    expect(peer.isBehind).toBe(true);
    const pieces: Buffer[] = [];
    while (Buffer.concat(pieces).length < much.length) {
      pieces.push(person.read());
      peer.take();
    }
    expect(Buffer.concat(pieces).equals(much)).toBe(true);
    expect(peer.isBehind).toBe(false);
    peer.write(much);
    person.leave();
    peer.take();
    expect(peer.isBehind).toBe(false);
  });
});

describe('without what opens pseudo terminals', () => {
  const opening = (load: () => unknown) => () => openPseudoTerminal('serial0', () => undefined, load);

  test('its name, and the way round it, are said', () => {
    const missing = () => createRequire(import.meta.url)('node-pty-that-nobody-has');
    expect(opening(missing)).toThrow(
      'Cannot open a pseudo terminal for serial0: Node opens none, and node-pty is not installed. ' +
        'Say `npm install node-pty@1.1.0` where Retrovisor is installed, or give unix:PATH,server=on and join one ' +
        'with `socat PTY,link=tty UNIX-CONNECT:PATH`.',
    );
  });

  test.each([
    ['was compiled for another system', () => JSON.parse('Failed to load'), /node-pty does not load \(.*\)\. Say/],
    ['has no such call', () => ({}), /node-pty of another version is installed\. Say/],
    ['opens none', () => ({ native: { open: () => JSON.parse('openpty(3) failed') } }), /^Cannot open .* serial0: /],
  ])('what %s is said so', (_, load, sentence) => {
    expect(opening(load)).toThrow(sentence);
  });
});
