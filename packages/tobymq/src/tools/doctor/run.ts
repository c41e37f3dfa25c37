// `tobymq doctor`: examines a server step by step, from the name of the host to an idle connection, and stops at the
// first fault that keeps it from going on.

import { type CommandContext, UsageError } from '../../commands/command.ts';
import { connectionSettings } from '../connection-options.ts';
import { ExitCode } from '../exit-codes.ts';
import { painter, wantsColors } from '../paint.ts';
import { waitingLine } from '../progress.ts';
import { faults } from './faults.ts';
import { FaultFound, type Finding } from './finding.ts';
import { examineNetwork } from './network.ts';
import { type Patient, patientOf } from './patient.ts';
import { findingText, summaryText } from './report.ts';
import { examineRoundTrip } from './round-trip.ts';
import { examineConnect, examineIdle, tellCapabilities } from './session.ts';
import { examineTls } from './tls.ts';
import { examineWebSocket } from './upgrade.ts';

export async function run(context: CommandContext): Promise<number> {
  const { options, stdout, env, args } = context;
  const settings = await connectionSettings(context, args[0]);
  const isJson = options.flag('json');
  const paint = painter(wantsColors(stdout, env));
  const findings: Finding[] = [];
  const waiting = waitingLine(context.stderr);
  const tell = (finding: Finding): void => {
    findings.push(finding);
    if (isJson) return;
    waiting.clear();
    stdout.write(findingText(finding, paint));
    waiting.start('examining');
  };
  const topic = options.text('topic');
  if (topic !== undefined && /[+#]/.test(topic)) {
    throw new UsageError(`--topic must be a topic without wildcards, but is "${topic}".`);
  }
  const patient = patientOf(settings.url, settings.options, {
    timeoutMs: (options.integer('timeout', 1, 600) ?? 5) * 1000,
    idleMs: (options.integer('idle', 0, 86_400) ?? 4) * 1000,
    topic,
    size: options.integer('size', 16, 268_000_000) ?? 64,
    tell,
  });
  waiting.start('examining');
  try {
    await examine(patient);
  } catch (error) {
    if (!(error instanceof FaultFound)) throw error;
    tell(error.finding);
  } finally {
    waiting.clear();
  }
  const fault = findings.find(({ verdict }) => verdict === 'fault')?.fault;
  if (isJson) stdout.write(`${JSON.stringify({ url: patient.url.host, fault: fault ?? null, findings })}\n`);
  else stdout.write(summaryText(findings, paint));
  return fault === undefined ? ExitCode.Success : faults[fault].exitCode;
}

async function examine(patient: Patient): Promise<void> {
  await examineNetwork(patient);
  if (patient.isSecure) await examineTls(patient);
  if (patient.isWebSocket) await examineWebSocket(patient);
  const client = await examineConnect(patient);
  try {
    tellCapabilities(patient, client);
    await examineRoundTrip(patient, client);
    await examineIdle(patient, client);
  } finally {
    await client.close();
  }
}
