import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../../../src/net/world/say.ts';
import type { World } from '../../../src/net/world/world.ts';
import { Bench } from '../bench.ts';
import { Client } from '../client.ts';

const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');

const CONTENTS: Readonly<Record<string, string>> = {
  page: '<p>ten bytes',
  index: '<p>index',
  long: Array.from({ length: 30_000 }, (_, at) => String.fromCharCode(at % 251)).join(''),
};

const served = (file: string) => ({ file, size: CONTENTS[file]!.length, sha256: sha256(CONTENTS[file]!) });

const world: World = {
  hosts: [
    {
      addresses: ['10.0.2.80'],
      services: [
        {
          ...{ kind: 'http', port: 80 },
          files: {
            '/page.html': served('page'),
            '/a/index.html': served('index'),
            '/b/long': served('long'),
            '/b/two words': served('page'),
            '/b/größe €': served('page'),
          },
        },
      ],
    },
  ],
};

const files = (file: string, offset: number, length: number): Uint8Array =>
  bytesOf(CONTENTS[file]!.slice(offset, offset + length));

function opened(): { readonly bench: Bench; readonly client: Client } {
  const bench = new Bench(world, { files });
  return { bench, client: new Client(bench, '10.0.2.80', 80) };
}

/** Status and body of what comes back for a request's lines. */
function asked(...lines: string[]): { readonly status: string; readonly fields: string; readonly body: string } {
  const answer = opened().client.say(`${lines.join('\r\n')}\r\n\r\n`);
  const end = answer.indexOf('\r\n\r\n');
  const [status = '', ...fields] = answer.slice(0, end).split('\r\n');
  return { status: status.slice('HTTP/1.1 '.length), fields: fields.join('\n'), body: answer.slice(end + 4) };
}

describe('a folder over HTTP', () => {
  test('a file', () => {
    const { status, fields, body } = asked('GET /page.html HTTP/1.1', 'Host: x');
    expect([status, body]).toEqual(['200 OK', CONTENTS['page']]);
    expect(fields).toContain('Content-Type: text/html');
    expect(fields).toContain(`Content-Length: ${body.length}`);
  });

  test('a file of many segments, which is never in the state', () => {
    const { bench, client } = opened();
    const answer = client.say('GET http://10.0.2.80/b/long HTTP/1.0\r\n\r\n');
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(CONTENTS['long']);
    expect(client.hasEnded).toBe(true);
    client.end();
    bench.passTo(10_000_000_000);
    expect(bench.ofKind('sim:tcp_closed')).toMatchObject([{ why: 'done' }]);
    expect(bench.ofKind('sim:http_request')).toMatchObject([{ method: 'GET', status: 200, bytes: 30_000 }]);
    expect(Math.max(...bench.ofKind('sim:http_request').map(({ answer: { length } }) => length))).toBeLessThan(300);
    expect(bench.isFolded).toBe(true);
  });

  test.each([
    ['bytes=0-3', '206 Partial Content', CONTENTS['page']!.slice(0, 4)],
    ['bytes=4-', '206 Partial Content', CONTENTS['page']!.slice(4)],
    ['bytes=-3', '206 Partial Content', CONTENTS['page']!.slice(-3)],
    ['bytes=4-4000', '206 Partial Content', CONTENTS['page']!.slice(4)],
    ['bytes=4000-', '416 Range Not Satisfiable', ''],
    ['bytes=-0', '416 Range Not Satisfiable', ''],
    ['bytes=1-2,4-5', '200 OK', CONTENTS['page']],
    ['lines=1-2', '200 OK', CONTENTS['page']],
  ])('a part of a file: %s', (range, status, body) => {
    expect(asked('GET /page.html HTTP/1.1', `Range: ${range}`)).toMatchObject({ status, body });
  });

  test('HEAD says the same without the body', () => {
    const { status, fields, body } = asked('HEAD /page.html HTTP/1.1');
    expect([status, body]).toEqual(['200 OK', '']);
    expect(fields).toContain(`Content-Length: ${CONTENTS['page']!.length}`);
  });

  test.each([
    ['GET /a/ HTTP/1.1', '200 OK', CONTENTS['index']],
    ['GET /b/two%20words?x=1 HTTP/1.1', '200 OK', CONTENTS['page']],
    ['GET /b/gr%C3%B6%C3%9Fe%20%E2%82%AC HTTP/1.1', '200 OK', CONTENTS['page']],
    ['GET /b/gr%F6%DFe HTTP/1.1', '400 Bad Request', ''],
    ['GET /constructor HTTP/1.1', '404 Not Found', '/constructor is not here.\n'],
    ['GET /a/../page.html HTTP/1.1', '200 OK', CONTENTS['page']],
    ['GET /./a/./b/.. HTTP/1.1', '200 OK', CONTENTS['index']],
    ['GET /../../%2e%2e/page.html HTTP/1.1', '200 OK', CONTENTS['page']],
    ['GET page.html HTTP/1.1', '400 Bad Request', ''],
    ['GET /page.html', '400 Bad Request', ''],
    ['GET /page.html HTTP/2', '400 Bad Request', ''],
    ['DELETE /page.html HTTP/1.1', '405 Method Not Allowed', ''],
  ])('%s', (line, status, body) => {
    expect(asked(line)).toMatchObject({ status, body });
  });

  test('a folder without an index lists what is in it', () => {
    expect(asked('GET / HTTP/1.1').body).toMatch(/<a href="a\/">a\/<\/a>.*<a href="b\/">.*<a href="page\.html">/s);
    expect(asked('GET /b HTTP/1.1')).toMatchObject({ status: '301 Moved Permanently' });
    expect(asked('GET /b/ HTTP/1.1').body).toContain('<a href="two%20words">two words</a>');
    expect(asked('GET /b/ HTTP/1.1').body).toContain(
      '<a href="gr%C3%B6%C3%9Fe%20%E2%82%AC">gr&#246;&#223;e &#8364;</a>',
    );
  });

  test('a head without end is refused', () => {
    const { client } = opened();
    expect(client.say(`GET / HTTP/1.1\r\nX: ${'y'.repeat(20_000)}`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(client.hasEnded).toBe(true);
  });

  test('requests one behind the other are answered in their order', () => {
    const request = (path: string): string => `GET ${path} HTTP/1.1\r\n\r\n`;
    const { client } = opened();
    const answer = client.say(`${request('/page.html')}${request('/b/long')}${request('/a/')}`);
    const places = [CONTENTS['page'], CONTENTS['long'], CONTENTS['index']].map((text) => answer.indexOf(text!));
    expect(places.every((place, at) => place > (places[at - 1] ?? 0))).toBe(true);
    expect(client.hasEnded).toBe(false);
  });

  test('a guest that ends with its request is answered', () => {
    const { client } = opened();
    client.say('GET /page.html HTTP/1.1\r\n');
    client.end();
    expect(client.hasEnded).toBe(true);
    const other = opened().client;
    expect(other.say('GET /page.html HTTP/1.1\r\n\r\n') + other.end()).toContain(CONTENTS['page']);
    expect(other.hasEnded).toBe(true);
  });
});

describe('what a guest sends to an HTTP server', () => {
  test.each([
    ['PUT', 0],
    ['POST', 1],
    ['PUT', 63],
    ['POST', 64],
    ['PUT', 100_000],
  ])('%s of %i bytes is counted and hashed', (method, length) => {
    const body = CONTENTS['long']!.repeat(4).slice(0, length);
    const { bench, client } = opened();
    const answer = client.say(
      `${method} /x HTTP/1.1\r\nContent-Length: ${length}\r\n\r\n${body}GET / HTTP/1.0\r\n\r\n`,
    );
    expect(answer).toContain(`HTTP/1.1 201 Created`);
    expect(answer).toContain(`${length} bytes, sha256 ${sha256(body)}\n`);
    expect(answer).toContain('HTTP/1.1 200 OK');
    expect(bench.isFolded).toBe(true);
  });

  test('who waits to be told to go on is told', () => {
    const { client } = opened();
    const head = 'PUT /x HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
    expect(client.say(head)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    expect(client.say('hello')).toContain(sha256('hello'));
  });

  test('chunks are refused', () => {
    expect(asked('PUT /x HTTP/1.1', 'Transfer-Encoding: chunked')).toMatchObject({ status: '411 Length Required' });
  });
});
