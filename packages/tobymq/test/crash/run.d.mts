export interface CrashTestOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly durability?: 'fsync' | 'commit';
  readonly progress?: (line: string) => void;
}

export interface CrashTestResult {
  readonly rounds: number;
  readonly seed: number;
  readonly messages: number;
  readonly deliveriesRequired: number;
  readonly retainedChecks: number;
}

export function runCrashTest(options: CrashTestOptions): Promise<CrashTestResult>;
