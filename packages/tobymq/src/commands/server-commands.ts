// The commands that run and administer the server.

import type { Command } from './command.ts';

export const serverCommands: readonly Command[] = [];
