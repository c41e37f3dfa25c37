// The table of all commands. Each family of commands has a file of its own; what is listed here exists.

import { botCommands } from '../tools/bot/bot-commands.ts';
import { messageCommands } from '../tools/message-commands.ts';
import type { Command } from './command.ts';
import { serverCommands } from './server-commands.ts';

export const commands: readonly Command[] = [...serverCommands, ...messageCommands, ...botCommands];
