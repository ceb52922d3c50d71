/** An HTTP server over files that are known beforehand: RFC 9110 and 9112, as far as clients of a folder need. */
import type { HttpState } from './app-state.ts';
import { fileAt, type Service, type WorldFile } from './world.ts';

/** A request's head that was heard whole. */
export interface Request {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** By names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  /** Characters it takes, the empty line with it. */
  readonly head: number;
}

/** What an HTTP server does about what it heard. */
export type Move =
  | { readonly does: 'waits' }
  | { readonly does: 'takes a body'; readonly request: Request; readonly length: number; readonly keeps: boolean }
  | { readonly does: 'answers'; readonly answer: Answer };

export interface Answer {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  /** Characters of what was heard that this answers. */
  readonly head: number;
  /** The answer's head, and a body that is no file. */
  readonly text: string;
  /** The part of a file that follows. */
  readonly file: { readonly name: string; readonly offset: number; readonly length: number } | undefined;
  readonly keeps: boolean;
}

const MOST_HEAD = 16_384;

const REASONS: Readonly<Record<number, string>> = {
  ...{ 200: 'OK', 201: 'Created', 206: 'Partial Content', 301: 'Moved Permanently', 400: 'Bad Request' },
  ...{ 404: 'Not Found', 405: 'Method Not Allowed', 411: 'Length Required', 416: 'Range Not Satisfiable' },
  ...{ 431: 'Request Header Fields Too Large' },
};

const TYPES: Readonly<Record<string, string>> = {
  ...{ html: 'text/html', txt: 'text/plain', json: 'application/json', css: 'text/css', js: 'text/javascript' },
  ...{ png: 'image/png', gz: 'application/gzip', xz: 'application/x-xz', deb: 'application/vnd.debian.binary-package' },
};

const typeOf = (path: string): string => TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream';

/** A request's head; undefined: it is not whole yet; `bad`: it is none. */
function requestIn(heard: string): Request | 'bad' | undefined {
  const end = heard.indexOf('\r\n\r\n');
  if (end < 0) return heard.length > MOST_HEAD ? 'bad' : undefined;
  const [first = '', ...lines] = heard.slice(0, end).split('\r\n');
  const [method = '', target = '', version = '', ...more] = first.split(' ');
  if (more.length > 0 || !/^[A-Z]{1,16}$/.test(method) || !/^HTTP\/1\.[01]$/.test(version)) return 'bad';
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) return 'bad';
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { method, target, version, fields, head: end + 4 };
}

/** The path of a target, which may be a whole URL; undefined: it names nothing. */
function pathOf(target: string): string | undefined {
  const path = /^(?:https?:\/\/[^/]*)?(\/[^?#]*)/i.exec(target)?.[1];
  if (path === undefined) return undefined;
  try {
    return withoutDots(decodeURIComponent(path));
  } catch {
    return undefined;
  }
}

/** RFC 3986, 5.2.4: where a path leads that says `.` and `..`. */
function withoutDots(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') segments.pop();
    else if (segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}${/\/\.\.?$/.test(path) && segments.length > 0 ? '/' : ''}`;
}

function keepsOpen({ version, fields }: Request): boolean {
  const wish = fields.get('connection')?.toLowerCase() ?? '';
  return version === 'HTTP/1.1' ? !wish.includes('close') : wish.includes('keep-alive');
}

/** What there is to do about what was heard so far. */
export function nextMove(service: Service, { heard, upload }: HttpState): Move {
  if (upload !== undefined) return { does: 'waits' };
  const request = requestIn(heard);
  if (request === undefined) return { does: 'waits' };
  if (request === 'bad') return refusal(heard, heard.length > MOST_HEAD ? 431 : 400);
  const length = request.fields.get('content-length');
  if (request.fields.has('transfer-encoding')) return says(request, 411, 'Say how long the body is.\n', false);
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return refusal(heard, 400);
  const takesBody = request.method === 'PUT' || request.method === 'POST' || Number(length ?? 0) > 0;
  if (takesBody) return { does: 'takes a body', request, length: Number(length ?? 0), keeps: keepsOpen(request) };
  return fetched(service, request);
}

const refusal = (heard: string, status: number): Move =>
  says({ method: '', target: '', version: '', fields: new Map(), head: heard.length }, status, '', false);

function headOf(status: number, fields: Readonly<Record<string, string>>, keeps: boolean): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const connection = `Connection: ${keeps ? 'keep-alive' : 'close'}\r\n`;
  return `HTTP/1.1 ${status} ${REASONS[status]}\r\nServer: retrovisor\r\n${lines.join('')}${connection}\r\n`;
}

/** An answer of a few words. */
function says(request: Request, status: number, text: string, keeps = keepsOpen(request), more = {}): Move {
  const type = text.startsWith('<') ? 'text/html' : 'text/plain';
  const fields = { ...more, 'Content-Type': type, 'Content-Length': `${text.length}` };
  const { method, target, head } = request;
  const body = method === 'HEAD' ? '' : text;
  const answer = { method, target, status, head, keeps, text: headOf(status, fields, keeps) + body, file: undefined };
  return { does: 'answers', answer };
}

function fetched(service: Service, request: Request): Move {
  const { method, target } = request;
  const path = pathOf(target);
  if (method !== 'GET' && method !== 'HEAD')
    return says(request, 405, '', keepsOpen(request), { Allow: 'GET, HEAD, PUT, POST' });
  if (path === undefined) return says(request, 400, '', false);
  const file = fileAt(service, path) ?? (path.endsWith('/') ? fileAt(service, `${path}index.html`) : undefined);
  if (file !== undefined) return sends(request, path, file);
  const inside = listed(service, path.endsWith('/') ? path : `${path}/`);
  if (inside.length === 0) return says(request, 404, `${target} is not here.\n`);
  if (!path.endsWith('/')) return says(request, 301, '', keepsOpen(request), { Location: `${path}/` });
  const rows = inside.map((name) => `<li><a href="${encodeURI(name)}">${escaped(name)}</a></li>\n`);
  return says(
    request,
    200,
    `<!DOCTYPE html>\n<title>${escaped(path)}</title>\n<ul>\n${rows.join('')}</ul>\n`.slice(0, MOST_LIST),
  );
}

const MOST_LIST = 60_000;

const escaped = (text: string): string =>
  text.replace(/[^ -~]|[&<>"]/gu, (character) => `&#${character.codePointAt(0)};`);

/** What lies directly in a folder, by name. */
function listed({ files = {} }: Service, folder: string): readonly string[] {
  const names = Object.keys(files)
    .filter((path) => path.startsWith(folder))
    .map((path) => /^[^/]+\/?/.exec(path.slice(folder.length))?.[0] ?? '');
  return [...new Set(names)].filter((name) => name !== '').sort();
}

/** The part of a file that is asked for: RFC 9110, 14.1.2. undefined: all; `none`: there is no such part. */
function rangeOf(request: Request, size: number): readonly [from: number, to: number] | 'none' | undefined {
  const asked = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(request.fields.get('range') ?? '');
  const [from, to] = [asked?.[1] ?? '', asked?.[2] ?? ''];
  if (from === '' && to === '') return undefined;
  if (from === '') return Number(to) === 0 ? 'none' : [Math.max(size - Number(to), 0), size];
  const end = to === '' ? size : Math.min(Number(to) + 1, size);
  return Number(from) < end ? [Number(from), end] : 'none';
}

function sends(request: Request, path: string, { file, size, sha256 }: WorldFile): Move {
  const range = rangeOf(request, size);
  if (range === 'none') return says(request, 416, '', keepsOpen(request), { 'Content-Range': `bytes */${size}` });
  const [from, to] = range ?? [0, size];
  const keeps = keepsOpen(request);
  const fields = {
    ...{ 'Content-Type': typeOf(path.endsWith('/') ? 'index.html' : path), 'Content-Length': `${to - from}` },
    ...{ 'Accept-Ranges': 'bytes', ETag: `"${sha256.slice(0, 16)}"` },
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${from}-${to - 1}/${size}` }),
  };
  const status = range === undefined ? 200 : 206;
  const isWhole = request.method === 'GET' && to > from;
  const { method, target, head } = request;
  const part = isWhole ? { name: file, offset: from, length: to - from } : undefined;
  return {
    does: 'answers',
    answer: { method, target, status, head, keeps, text: headOf(status, fields, keeps), file: part },
  };
}

/** What is said of a body that was taken whole. */
export function receipt(method: string, target: string, length: number, sha256: string, keeps: boolean): Answer {
  const text = `${length} bytes, sha256 ${sha256}\n`;
  const fields = { 'Content-Type': 'text/plain', 'Content-Length': `${text.length}` };
  return { method, target, status: 201, head: 0, keeps, text: headOf(201, fields, keeps) + text, file: undefined };
}
