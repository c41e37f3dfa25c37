export * from './errors.ts';
export * from './packets.ts';
export * from './reason-codes.ts';
