// `info`: what the server knows of the asking bot.

import type { Json } from '../../protocol.ts';
import type { EndpointHandler } from '../context.ts';

export const info: EndpointHandler = async (context, bot) => context.accounts.info(bot.id) as unknown as Json;
