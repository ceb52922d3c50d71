import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { tool } from '../stepping-aside.ts';
import { bundled } from './bundle.ts';
import type { Done, Work } from './worker.ts';

/** Debian's; other machines may have it elsewhere. */
const PROGRAM = 'chromium';

/** Why no page can be opened here, if none can. */
export const noChromium = tool(PROGRAM);

/** The path of a program, as the shell finds it. */
function whereIs(name: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is not on the path.`);
  return found;
}

/** What a page came to, and everything it asked for. */
export interface PageDone extends Done {
  readonly requests: readonly string[];
  readonly origin: string;
}

const PAGE = '<!doctype html><meta charset="utf-8"><title>Retrovisor</title>';

/** A server on the loopback interface that has these files and nothing else. */
async function serve(files: ReadonlyMap<string, readonly [string, Uint8Array | string]>): Promise<Server> {
  const server = createServer(({ url = '' }, answer) => {
    const [type, bytes] = files.get(url) ?? [];
    if (bytes === undefined) return void answer.writeHead(404).end();
    answer.writeHead(200, { 'content-type': type }).end(bytes);
  });
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  return server;
}

/** Have a worker of a page in headless Chromium do this with these files. */
export async function inChromium(
  task: Omit<Work, 'files'>,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<PageDone> {
  const { code, problems } = await bundled("import './test/browser/worker.ts';");
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const addresses = Object.fromEntries(Object.keys(files).map((name, index) => [name, `/file/${index}`]));
  const served = new Map<string, readonly [string, Uint8Array | string]>([
    ['/', ['text/html', PAGE]],
    ['/worker.js', ['text/javascript', code]],
    ...Object.entries(files).map(
      ([name, bytes]) => [addresses[name] as string, ['application/octet-stream', bytes]] as const,
    ),
  ]);
  return onPage(served, async (page, origin) => {
    const requests: string[] = [];
    page.on('request', (request) => void requests.push(request.url()));
    await page.goto(`${origin}/`);
    const done = await page.evaluate(inWorker, { ...task, files: addresses });
    return { ...done, requests, origin };
  });
}

/** Open headless Chromium beside a server of these files, and do something with a page of it. */
export async function onPage<T>(
  files: ReadonlyMap<string, readonly [string, Uint8Array | string]>,
  act: (page: Page, origin: string) => Promise<T>,
): Promise<T> {
  const server = await serve(files);
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // A sandbox needs a user of its own to fence off.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: whereIs(PROGRAM), headless: true, args });
  try {
    return await act(await browser.newPage(), origin);
  } finally {
    await browser.close();
    server.close();
  }
}

/** Runs in the page, which knows nothing around it. */
function inWorker(work: Work): Promise<Done> {
  const worker = new Worker('/worker.js', { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Done>) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(work);
  });
}
