// The round trip: subscribe to a topic, publish to it in every QoS, and wait for the message.

import { randomBytes } from 'node:crypto';
import type { Client, ClientError, QoS, Subscription } from '@tobymq/client';
import type { FaultName } from './faults.ts';
import { FaultFound, type Finding, fault, ok } from './finding.ts';
import type { Patient } from './patient.ts';

const SUBSCRIBE_DENIALS: ReadonlySet<number> = new Set([0x80, 0x83, 0x87, 0x8f]);

export async function examineRoundTrip(patient: Patient, client: Client): Promise<void> {
  const topic = patient.topic ?? `tobymq/doctor/${randomBytes(6).toString('hex')}`;
  const subscription = client.subscribe(topic, { qos: 2, retained: 'never', timeout: patient.timeoutMs });
  try {
    await subscription.ready;
  } catch (error) {
    throw new FaultFound(subscribeFault(error as ClientError, topic));
  }
  const highest = (client.protocolVersion === 5 ? (client.server?.maximumQoS ?? 2) : 2) as QoS;
  const times: string[] = [];
  for (let qos = 0 as QoS; qos <= highest; qos++) {
    times.push(`QoS ${qos} ${(await roundTrip(patient, client, subscription, topic, qos)).toFixed(1)} ms`);
  }
  patient.tell(ok('round trip', `${patient.size} bytes on ${topic}: ${times.join(', ')}`));
  await subscription.unsubscribe().catch(() => undefined);
}

function subscribeFault(error: ClientError, topic: string): Finding {
  const text = `the subscription to ${topic} failed: ${error.message}`;
  if (SUBSCRIBE_DENIALS.has(error.reasonCode ?? 0)) return fault('round trip', 'SUBSCRIBE_DENIED', text);
  return fault('round trip', nameOf(error, 'CONNECTION_DROPPED'), text);
}

/** Milliseconds until the message was back. */
async function roundTrip(
  patient: Patient,
  client: Client,
  subscription: Subscription,
  topic: string,
  qos: QoS,
): Promise<number> {
  const payload = new Uint8Array(patient.size);
  payload.set(randomBytes(Math.min(16, patient.size)));
  const startedAt = performance.now();
  const isBack = awaitMessage(subscription, payload, patient.timeoutMs);
  try {
    await client.publish(topic, payload, { qos, timeout: patient.timeoutMs });
  } catch (error) {
    throw new FaultFound(publishFault(patient, client, error as ClientError, topic, qos));
  }
  const outcome = await isBack;
  if (outcome === true) return performance.now() - startedAt;
  if (outcome !== undefined) throw new FaultFound(publishFault(patient, client, outcome, topic, qos));
  const text = `a message of QoS ${qos} on ${topic} did not come back within ${patient.timeoutMs} ms`;
  // Before 5.0, and for QoS 0, a server has no way to say no: it drops the message.
  const isMute = qos === 0 || client.protocolVersion !== 5;
  throw new FaultFound(fault('round trip', isMute ? 'PUBLISH_DENIED' : 'NOT_DELIVERED', text));
}

/** True when the message came, the error when the connection ended, undefined when nothing happened in time. */
async function awaitMessage(
  subscription: Subscription,
  payload: Uint8Array,
  timeoutMs: number,
): Promise<true | ClientError | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined);
  });
  try {
    for (;;) {
      const result = await Promise.race([subscription.next(), timeout]);
      if (result === undefined || result.done === true) return undefined;
      // Others may speak on a topic that the user chose.
      if (Buffer.from(result.value.payload).equals(payload)) return true;
    }
  } catch (error) {
    return error as ClientError;
  } finally {
    clearTimeout(timer);
  }
}

function publishFault(
  { size }: Patient,
  client: Client,
  error: ClientError,
  topic: string,
  qos: QoS,
): Finding {
  const text = `the message of QoS ${qos} and ${size} bytes on ${topic} failed: ${error.message}`;
  const limit = client.server?.maximumPacketSize;
  const hint = limit === undefined ? undefined : `The server takes packets of up to ${limit} bytes.`;
  const name = nameOf(error, size > 1024 ? 'PACKET_TOO_LARGE' : 'CONNECTION_DROPPED');
  return fault('round trip', name, text, name === 'PACKET_TOO_LARGE' ? hint : undefined);
}

/** A server of 3.1.1 only closes; then `otherwise` is the best guess. */
function nameOf({ reasonCode, code }: ClientError, otherwise: FaultName): FaultName {
  switch (reasonCode) {
    case 0x87:
      return 'PUBLISH_DENIED';
    case 0x95:
      return 'PACKET_TOO_LARGE';
    case 0x8e:
      return 'SESSION_TAKEN_OVER';
    default:
      return code === 'TOBYMQ_TIMEOUT' ? 'SILENT_SERVER' : otherwise;
  }
}
