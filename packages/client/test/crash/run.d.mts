export interface ClientCrashTestOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly progress?: (line: string) => void;
}

export interface ClientCrashTestResult {
  readonly rounds: number;
  readonly seed: number;
  readonly kills: Readonly<Record<'server' | 'subscriber' | 'transactional' | 'publisher', number>>;
  readonly sent: number;
  readonly acknowledged: number;
  /** Messages of QoS 2 that took effect at the transactional subscriber. */
  readonly effects: number;
  /** Messages that a subscriber had handled and not stored when it was killed. */
  readonly inHandAtKill: number;
}

export function runClientCrashTest(options: ClientCrashTestOptions): Promise<ClientCrashTestResult>;
