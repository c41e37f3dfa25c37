// What the doctor says about one thing it looked at.

import { type FaultName, faults } from './faults.ts';

export type Step =
  | 'address'
  | 'TCP'
  | 'TLS'
  | 'WebSocket'
  | 'MQTT'
  | 'capabilities'
  | 'round trip'
  | 'keep-alive';

export interface Finding {
  readonly step: Step;
  readonly verdict: 'ok' | 'note' | 'warning' | 'fault';
  readonly text: string;
  /** Faults only. */
  readonly fault?: FaultName;
  readonly cause?: string;
  readonly remedy?: string;
}

export function ok(step: Step, text: string): Finding {
  return { step, verdict: 'ok', text };
}

export function note(step: Step, text: string): Finding {
  return { step, verdict: 'note', text };
}

export function warning(step: Step, text: string): Finding {
  return { step, verdict: 'warning', text };
}

/** A fault; `hint` is what was found out about this very case, and stands in front of the general remedy. */
export function fault(step: Step, name: FaultName, text: string, hint?: string): Finding {
  const { cause, remedy } = faults[name];
  return {
    step,
    verdict: 'fault',
    text,
    fault: name,
    cause,
    remedy: hint === undefined ? remedy : `${hint} ${remedy}`,
  };
}

/** Ends the examination: nothing behind this fault can be looked at. */
export class FaultFound extends Error {
  override readonly name = 'FaultFound';
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.text);
    this.finding = finding;
  }
}
