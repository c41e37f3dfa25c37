// Files of a folder over HTTP, beside a WebSocket listener (`httpDir`, Mosquitto's `http_dir`): enough for a page that
// talks MQTT to the server it came from.

import { createReadStream, type Stats, statSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};

/**
 * Serves the files of a folder, and `index.html` for a path that ends in a slash. What is no request for one of them is
 * for `others`, if anything else is served there.
 */
export function staticFiles(folder: string, others: RequestListener = refuse): RequestListener {
  return (request: IncomingMessage, response) => {
    const path = isReading(request) ? pathInside(folder, request.url ?? '/') : undefined;
    const status = path === undefined ? undefined : statusOf(path);
    if (path === undefined || !status?.isFile()) return others(request, response);
    response.writeHead(200, {
      'content-type': types[extname(path)] ?? 'application/octet-stream',
      'content-length': status.size,
      'x-content-type-options': 'nosniff',
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const file = createReadStream(path);
    file.on('error', () => response.destroy());
    file.pipe(response);
  };
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  if (isReading(request)) end(response, 404, 'there is no such file');
  else end(response, 405, 'only GET and HEAD');
}

function isReading({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** The file that a URL means; undefined for a path that leads out of the folder. */
function pathInside(folder: string, url: string): string | undefined {
  let pathname: string;
  try {
    pathname = decodeURIComponent(new URL(url, 'http://localhost').pathname);
  } catch {
    // Neither a URL nor a text.
    return undefined;
  }
  const path = join(folder, normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname));
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep) && !path.includes('\0')
    ? path
    : undefined;
}

/** Undefined for what is not there, is below a file, has too long a name, or may not be looked at. */
function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function end(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
