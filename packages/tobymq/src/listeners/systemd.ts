// Sockets that systemd opened for us: file descriptors from 3 on, named by LISTEN_FDNAMES.

import { ConfigError } from '../config/errors.ts';
import type { Environment } from '../config/substitute.ts';

const firstDescriptor = 3;

/** The file descriptor of a name or position. Throws {@link ConfigError} if systemd passed no such socket. */
export function systemdSocket(which: string, environment: Environment, pid = process.pid): number {
  const count = environment.LISTEN_PID === String(pid) ? Number(environment.LISTEN_FDS ?? 0) : 0;
  if (!(count > 0)) {
    throw ConfigError.of(
      `systemd passed no sockets (asked for "${which}"); start the server by its .socket unit, or remove "systemd"`,
    );
  }
  const names = (environment.LISTEN_FDNAMES ?? '').split(':');
  const index = /^\d+$/.test(which) ? Number(which) : names.indexOf(which);
  if (index >= 0 && index < count) return firstDescriptor + index;
  throw ConfigError.of(
    `systemd passed no socket "${which}"; it passed ${names.slice(0, count).join(', ') || `${count} without names`}`,
  );
}
