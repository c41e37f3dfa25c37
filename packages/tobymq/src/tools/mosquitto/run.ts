// Runs one of the stand-ins: flags, help, connection, and failures in Mosquitto's way.

import type { Client, ClientError } from '@tobymq/client';
import type { CommandContext, CommandRun } from '../../commands/command.ts';
import { packageVersion } from '../../version.ts';
import { interruption } from '../run-client.ts';
import {
  connectionOf,
  type Flags,
  type MosquittoConnection,
  parseFlags,
  type table,
} from './client-flags.ts';
import { MosquittoUsageError, tellFailure } from './errors.ts';

export interface Program {
  readonly name: string;
  readonly usage: string;
  readonly flags: ReturnType<typeof table>;
  readonly version: 4 | 5;
  /** Checks what was given before anything is connected; what it returns goes to `work`. */
  prepare(context: CommandContext, flags: Flags, connection: MosquittoConnection): Promise<Work>;
}

export interface Work {
  readonly reconnect: boolean;
  run(client: Client, signal: AbortSignal): Promise<number>;
}

export function program({ name, usage, flags: own, version, prepare }: Program): CommandRun {
  return async (context) => {
    const { args, stdout, stderr } = context;
    let flags: Flags | undefined;
    let connection: MosquittoConnection | undefined;
    try {
      flags = parseFlags(args, own);
      if (flags.has('help')) {
        stdout.write(`${name} of TobyMQ ${packageVersion()}\n\n${usage}`);
        return 1;
      }
      if (flags.has('version')) {
        stdout.write(`${name} of TobyMQ ${packageVersion()}\n`);
        return 1;
      }
      connection = connectionOf(flags, version);
      const work = await prepare(context, flags, connection);
      return await withConnection(context, flags, connection, work);
    } catch (error) {
      if (error instanceof MosquittoUsageError) {
        stderr.write(`${error.message}\n\nUse '${name} --help' to see usage.\n`);
        return 1;
      }
      if ((error as Error).name !== 'ClientError') throw error;
      const { text, exitCode } = tellFailure(error as ClientError, connection?.version ?? version);
      if (flags?.has('quiet') !== true) stderr.write(`${text}\n`);
      return exitCode;
    }
  };
}

async function withConnection(
  { stderr }: CommandContext,
  flags: Flags,
  { url, options }: MosquittoConnection,
  work: Work,
): Promise<number> {
  const { connect } = await import('@tobymq/client');
  const isQuiet = flags.has('quiet');
  // Not before: what there was to read until now, a signal may break off at once.
  const { signal, release } = interruption();
  try {
    const client = await connect(url, {
      ...options,
      signal,
      ...(work.reconnect ? {} : { reconnect: false as const }),
      onError: (error) => {
        if (!isQuiet) stderr.write(`Error: ${error.message}.\n`);
      },
      ...(flags.has('debug')
        ? { trace: ({ direction, packet }) => stderr.write(`${trace(direction, packet)}\n`) }
        : {}),
    });
    try {
      return await work.run(client, signal);
    } finally {
      await client.close();
    }
  } finally {
    release();
  }
}

const NAMES =
  'RESERVED CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH'.split(
    ' ',
  );

function trace(direction: string, packet: object): string {
  const { type, topic, qos, packetId } = packet as {
    type: number;
    topic?: string;
    qos?: number;
    packetId?: number;
  };
  const details = [
    ...(packetId === undefined || packetId === 0 ? [] : [`m${packetId}`]),
    ...(qos === undefined ? [] : [`q${qos}`]),
    ...(topic === undefined ? [] : [`'${topic}'`]),
  ];
  return `Client ${direction === 'sent' ? 'sending' : 'received'} ${NAMES[type]}${details.length === 0 ? '' : ` (${details.join(', ')})`}`;
}
