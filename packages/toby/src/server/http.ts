// Web hooks and sign-up over HTTP, as a function from Request to Response that any HTTP server can mount.
//
//   POST /hook/<botId>/<hook secret>   the body goes to the bot:  200 · 202 kept · 403 · 404 · 413 · 429 · 503 offline
//   POST /signup {username, password}  creates a user bot:        201 · 400 · 401 · 403 · 409 · 413 · 429

import type { Json } from '../protocol.ts';
import type { HookSender, TobyExtension } from './extension.ts';
import { networkOf } from './network.ts';
import { RateLimit } from './rate.ts';
import { Refusal } from './refusal.ts';
import { type Fields, textField } from './validate.ts';

export interface TobyHttpOptions {
  /** Who may sign up: everybody, those who know an invitation token, or nobody. Default: everybody. */
  readonly signup?: 'open' | 'closed' | { readonly token: string } | undefined;
  /** Keep web hooks for bots that are offline and left a session behind (202 instead of 503). Default: true. */
  readonly queueHooks?: boolean | undefined;
  readonly now?: (() => number) | undefined;
}

/** Handles a request for one of the two paths; undefined for every other path. */
export type TobyHttpHandler = (request: Request, remoteAddress: string) => Promise<Response> | undefined;

const HOUR_MS = 3_600_000;

/**
 * Makes the handler.
 *
 * @example
 * const handle = tobyHttp(toby, { signup: { token: 'for friends' } });
 * app.all('*', (c) => handle(c.req.raw, address(c)) ?? c.notFound());
 */
export function tobyHttp(toby: TobyExtension, options: TobyHttpOptions = {}): TobyHttpHandler {
  const attempts = new RateLimit(HOUR_MS, options.now ?? Date.now);
  const guesses = new RateLimit(HOUR_MS, options.now ?? Date.now);
  return (request, address) => {
    const path = new URL(request.url).pathname;
    const hook = /^\/hook\/([^/]+)\/([^/]+)$/.exec(path);
    if (hook !== null) {
      const [, botId, secret] = hook;
      const mayGuess = (): boolean => guesses.take(networkOf(address), toby.limits.hookGuessesPerHour);
      const sender = { address, mayGuess };
      return answer(
        request,
        () => receiveHook(toby, request, part(botId), part(secret), sender, options.queueHooks ?? true),
        (error) => toby.refuse(error, { via: 'hook', clientId: botId, address }),
      );
    }
    if (path === '/signup') {
      return answer(
        request,
        () => signUp(toby, request, address, options, attempts),
        (error) => toby.refuse(error, { via: 'signup', address }),
      );
    }
    return undefined;
  };
}

async function answer(
  request: Request,
  handle: () => Promise<number>,
  refuse: (error: unknown) => Refusal,
): Promise<Response> {
  try {
    if (request.method !== 'POST') throw new Refusal(405, 'only POST is understood here');
    return reply(await handle());
  } catch (error) {
    const { status, message } = refuse(error);
    return reply(status, message);
  }
}

async function receiveHook(
  toby: TobyExtension,
  request: Request,
  botId: string,
  secret: string,
  sender: HookSender,
  queueHooks: boolean,
): Promise<number> {
  const bot = toby.accounts.get(botId);
  if (bot === undefined || bot.kind !== 'bot') throw new Refusal(404, `there is no bot "${botId}"`);
  if (bot.hookHash === undefined) throw new Refusal(403, `the web hooks of "${botId}" are off`);
  if (!(await toby.isHookSecret(bot, secret, sender))) throw new Refusal(403, 'wrong hook secret');
  const payload = await readBody(request, toby.limits.hookBytes);
  // A body may take minutes, and the secret may have been replaced meanwhile, or the bot.
  if (toby.accounts.get(botId)?.hookHash !== bot.hookHash) throw new Refusal(403, 'wrong hook secret');
  const online = toby.isOnline(botId);
  if (!toby.isReachable(botId) || !(online || queueHooks))
    throw new Refusal(503, `"${botId}" does not listen`);
  await toby.deliver([botId], { from: 'hook', payload, tags: [], ack: '' });
  return online ? 200 : 202;
}

async function signUp(
  toby: TobyExtension,
  request: Request,
  remoteAddress: string,
  options: TobyHttpOptions,
  attempts: RateLimit,
): Promise<number> {
  const { signup = 'open' } = options;
  if (signup === 'closed') throw new Refusal(403, 'sign-up is closed on this server');
  if (!attempts.take(networkOf(remoteAddress), toby.limits.signupsPerHour)) {
    throw new Refusal(429, 'too many sign-ups from this address, try again in an hour');
  }
  const body = await readBody(request, toby.limits.hookBytes);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Refusal(400, 'username and password are expected');
  }
  const fields = body as Fields;
  if (typeof signup === 'object' && fields.token !== signup.token) {
    throw new Refusal(401, 'an invitation token is needed to sign up here');
  }
  await toby.signUp(textField(fields, 'username'), textField(fields, 'password'));
  return 201;
}

/** A JSON or form body as a JSON value. */
async function readBody(request: Request, bytesMax: number): Promise<Json> {
  const text = decodeText(await readBytes(request, bytesMax));
  const type = request.headers.get('content-type') ?? '';
  if (type.includes('application/x-www-form-urlencoded')) return formToJson(new URLSearchParams(text));
  if (type.includes('multipart/form-data')) {
    throw new Refusal(400, 'send the form as application/x-www-form-urlencoded, or JSON');
  }
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new Refusal(400, 'the body is neither JSON nor a form');
  }
}

/** Piece by piece, so that an oversized body is refused before it is held. */
async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request.body ?? []) {
      length += chunk.byteLength;
      if (length > bytesMax) throw new Refusal(413, `a body has at most ${bytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    // Its sender has gone, or has sent what is no HTTP.
    throw new Refusal(400, 'the body has no end');
  }
  return Buffer.concat(chunks);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal(400, 'the body is not valid UTF-8');
  }
}

/** Fields of a form; one that repeats becomes a list. */
function formToJson(form: URLSearchParams): Json {
  // In one pass: asking the form for each name would take as many passes as it has fields.
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of form) {
    const known = fields.get(name);
    if (known === undefined) fields.set(name, value);
    else if (typeof known === 'string') fields.set(name, [known, value]);
    else known.push(value);
  }
  return Object.fromEntries(fields);
}

function part(value: string | undefined): string {
  try {
    return decodeURIComponent(value ?? '');
  } catch {
    throw new Refusal(400, 'the address is not valid');
  }
}

function reply(status: number, error?: string): Response {
  const body: { status: number; error?: string } = { status };
  if (error !== undefined) body.error = error;
  return Response.json(body, { status, headers: status === 405 ? { allow: 'POST' } : {} });
}
