// What is wrong with a configuration, said so that a person can mend it: file, line, key, what was expected and what
// was found. All problems of a file are collected, so that mending does not take one start per mistake.

/** One thing that is wrong, or worth knowing, in a configuration file. */
export interface ConfigProblem {
  readonly file: string | undefined;
  readonly line: number | undefined;
  /** Where it is: `listeners[1].port`, or the name of a mosquitto.conf option. */
  readonly key: string | undefined;
  readonly message: string;
}

/** `etc/tobymq.yaml:12: listeners[1].port: expected a number from 0 to 65535, found "mqtt"` */
export function formatProblem({ file, line, key, message }: ConfigProblem): string {
  const place = file === undefined ? '' : line === undefined ? `${file}: ` : `${file}:${line}: `;
  return `${place}${key === undefined || key === '' ? '' : `${key}: `}${message}`;
}

/** The configuration cannot be used. `problems` has everything that was found; the message has it in lines. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'TOBYMQ_CONFIG_INVALID';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }

  static of(message: string, where: Partial<ConfigProblem> = {}): ConfigError {
    return new ConfigError([{ file: undefined, line: undefined, key: undefined, ...where, message }]);
  }
}

/** Why a file could not be read, in words that go behind "cannot be read:". */
export function fileFault(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'permission denied; give the account that runs the server the right to read it';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
