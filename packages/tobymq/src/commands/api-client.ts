// How commands talk to a running server: over its HTTP API, found by the data folder or named by --url and --token.

import { findRunningServer } from '../data-folder.ts';
import { fetchFault } from '../fetch-fault.ts';
import { type CommandContext, CommandError } from './command.ts';

export class ApiClient {
  readonly #url: string;
  readonly #token: string | undefined;

  constructor(url: string, token: string | undefined) {
    this.#url = url.replace(/\/$/, '');
    this.#token = token;
  }

  /** The server that the options of a command mean. */
  static from({ options, env }: Pick<CommandContext, 'options' | 'env'>): ApiClient {
    const folder = options.text('data') ?? './data';
    const running = findRunningServer(folder);
    const url = options.text('url') ?? running?.url;
    if (url === undefined) {
      throw new CommandError(
        'TOBYMQ_SERVER_NOT_FOUND',
        `no server runs with the data folder ${folder}; name it with --data, or give --url and --token.`,
      );
    }
    return new ApiClient(url, options.text('token') ?? env.TOBYMQ_TOKEN ?? running?.token);
  }

  /** Asks, and answers with the JSON; throws a {@link CommandError} with the server's own words. */
  async request(method: string, path: string, body?: unknown): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`${this.#url}/api/v1${path}`, {
        method,
        headers: {
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new CommandError(
        'TOBYMQ_SERVER_UNREACHABLE',
        `${this.#url} does not answer: ${fetchFault(error)}`,
      );
    }
    const answer = (await response.json().catch(() => undefined)) as
      | { error?: string; code?: string }
      | undefined;
    if (response.ok) return answer;
    throw new CommandError(
      answer?.code ?? 'TOBYMQ_API_FAILED',
      answer?.error ?? `${this.#url} answered ${response.status}`,
    );
  }
}
