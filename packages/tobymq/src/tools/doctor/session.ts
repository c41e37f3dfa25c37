// The MQTT steps: CONNECT in every version, what the server offers, a message there and back, and an idle connection.

import { type Client, ClientError, connect, type ServerInfo } from '@tobymq/client';
import { FaultFound, fault, note, ok, warning } from './finding.ts';
import { identify } from './identify.ts';
import type { Patient } from './patient.ts';
import { refusalOf } from './refusals.ts';
import { clientCertificateFault, isCertificateAlert } from './tls.ts';

type Version = 3 | 4 | 5;
const NAMES: Readonly<Record<Version, string>> = { 3: 'MQTT 3.1', 4: 'MQTT 3.1.1', 5: 'MQTT 5.0' };
const FLAGS: Readonly<Record<Version, string>> = { 3: '3.1', 4: '3.1.1', 5: '5' };

/** Connects in the wanted version, looks at the others, and answers with an open client. */
export async function examineConnect(patient: Patient): Promise<Client> {
  const wanted = patient.options.protocolVersion;
  const version: Version = wanted === undefined || wanted === 'auto' ? 5 : wanted;
  const others = ([5, 4, 3] as const).filter((each) => each !== version);
  const first = await attempt(patient, version);
  if (first instanceof ClientError)
    throw new FaultFound(await explainRefusal(patient, first, version, others));
  patient.tell(ok('MQTT', `${NAMES[version]} accepted as ${first.clientId}`));
  await first.close();
  for (const other of others) {
    const result = await attempt(patient, other);
    if (result instanceof ClientError) patient.tell(note('MQTT', `${NAMES[other]}: ${result.message}`));
    else {
      patient.tell(ok('MQTT', `${NAMES[other]} accepted`));
      await result.close();
    }
  }
  const client = await attempt(patient, version);
  if (client instanceof ClientError) throw new FaultFound(await explainRefusal(patient, client, version, []));
  return client;
}

/** One attempt; an error is an answer here. */
async function attempt(patient: Patient, version: Version): Promise<Client | ClientError> {
  const { url, options, timeoutMs, idleMs } = patient;
  try {
    return await connect(url.href, {
      ...options,
      protocolVersion: version,
      reconnect: false,
      redirects: false,
      connectTimeout: timeoutMs,
      // Short, so that an idle connection shows soon whether pings are answered.
      ...(idleMs === 0
        ? {}
        : { keepAlive: Math.max(1000, Math.floor(idleMs / 4000) * 1000), pingTimeout: idleMs / 2 }),
      onError: () => {},
    });
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw error;
  }
}

async function explainRefusal(
  patient: Patient,
  error: ClientError,
  version: Version,
  others: readonly Version[],
): Promise<ReturnType<typeof fault>> {
  const code = codeOf(error);
  if (patient.isSecure && isCertificateAlert(code)) return clientCertificateFault(patient, code);
  if (error.reasonCode !== undefined && error.code !== 'TOBYMQ_PROTOCOL_VIOLATION') {
    const hasCredentials = patient.options.credentials !== undefined || patient.url.username !== '';
    const name = refusalOf(error.reasonCode, version, hasCredentials);
    const hint =
      name === 'VERSION_REFUSED'
        ? await otherVersion(patient, others)
        : error.serverReference === undefined
          ? undefined
          : `It names ${error.serverReference}.`;
    return fault('MQTT', name, error.message, hint);
  }
  if (!patient.isSecure && !patient.isWebSocket) {
    const kind = await identify(patient);
    if (kind === 'tls') return fault('MQTT', 'PLAIN_ON_TLS_PORT', `port ${patient.port} speaks TLS`);
    if (kind === 'websocket') return fault('MQTT', 'WEBSOCKET_PORT', `port ${patient.port} speaks WebSocket`);
    if (kind === 'http') return fault('MQTT', 'HTTP_SERVER', `port ${patient.port} speaks HTTP`);
    if (kind === 'other') return fault('MQTT', 'NOT_MQTT', `port ${patient.port} answers, but not in MQTT`);
  }
  if (error.code === 'TOBYMQ_CONNECT_TIMEOUT') return fault('MQTT', 'SILENT_SERVER', error.message);
  const hint = await otherVersion(patient, others);
  if (hint !== undefined)
    return fault('MQTT', 'VERSION_REFUSED', `${NAMES[version]}: ${error.message}`, hint);
  const name = error.code === 'TOBYMQ_PROTOCOL_VIOLATION' ? 'NOT_MQTT' : 'CLOSED_AT_ONCE';
  return fault('MQTT', name, error.message);
}

/** Which other version the server accepts, as a hint. */
async function otherVersion(patient: Patient, others: readonly Version[]): Promise<string | undefined> {
  for (const other of others) {
    const result = await attempt(patient, other);
    if (result instanceof ClientError) continue;
    await result.close();
    return `${NAMES[other]} works: --protocol ${FLAGS[other]}.`;
  }
  return undefined;
}

/** What the server offers. Before 5.0 servers do not tell. */
export function tellCapabilities({ tell }: Patient, client: Client): void {
  const { server } = client;
  if (client.protocolVersion !== 5 || server === undefined) {
    tell(note('capabilities', 'servers tell them in MQTT 5.0 only'));
    return;
  }
  tell(ok('capabilities', limitsText(server)));
  const missing = [
    ...((server.maximumQoS ?? 2) < 2 ? [`QoS above ${server.maximumQoS}`] : []),
    ...(server.retainAvailable === false ? ['retained messages'] : []),
    ...(server.wildcardSubscriptionAvailable === false ? ['wildcards'] : []),
    ...(server.sharedSubscriptionAvailable === false ? ['shared subscriptions'] : []),
    ...(server.subscriptionIdentifierAvailable === false ? ['subscription identifiers'] : []),
  ];
  if (missing.length > 0) tell(warning('capabilities', `the server does not offer ${missing.join(', ')}`));
}

function limitsText(server: ServerInfo): string {
  const parts = [
    `QoS up to ${server.maximumQoS ?? 2}`,
    `packets up to ${server.maximumPacketSize?.toLocaleString('en-US') ?? 'any number of'} bytes`,
    `${server.receiveMaximum ?? 65_535} open messages`,
    `${server.topicAliasMaximum ?? 0} topic aliases`,
    ...(server.serverKeepAlive === undefined ? [] : [`keep-alive ${server.serverKeepAlive} s`]),
    ...(server.sessionExpiryInterval === undefined
      ? []
      : [`sessions kept ${server.sessionExpiryInterval} s`]),
    ...(server.retainAvailable === false ? [] : ['retained messages']),
    ...(server.wildcardSubscriptionAvailable === false ? [] : ['wildcards']),
    ...(server.sharedSubscriptionAvailable === false ? [] : ['shared subscriptions']),
    ...(server.subscriptionIdentifierAvailable === false ? [] : ['subscription identifiers']),
  ];
  return parts.join(', ');
}

/** Leaves the connection alone and looks whether it lives. */
export async function examineIdle(patient: Patient, client: Client): Promise<void> {
  if (patient.idleMs === 0) return;
  const ended = await Promise.race([
    failureOf(client),
    new Promise<undefined>((resolve) => {
      setTimeout(resolve, patient.idleMs, undefined);
    }),
  ]);
  if (ended === undefined) {
    patient.tell(
      ok('keep-alive', `an idle connection lived for ${patient.idleMs / 1000} s and its pings were answered`),
    );
    return;
  }
  if (ended.reasonCode === 0x8e)
    throw new FaultFound(fault('keep-alive', 'SESSION_TAKEN_OVER', ended.message));
  throw new FaultFound(fault('keep-alive', 'KEEP_ALIVE_KILLED', ended.message));
}

async function failureOf(client: Client): Promise<ClientError | undefined> {
  for await (const state of client.states()) if (state.state === 'failed') return state.reason;
  return undefined;
}

/** The code of the innermost cause: Node's own, for the network and TLS. */
function codeOf(error: Error): string {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  return cause instanceof Error ? codeOf(cause) : String(code ?? '');
}
