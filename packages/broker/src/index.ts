export type * from './bus/bus.ts';
export type * from './extension.ts';
export * from './store/store.ts';
export type * from './transports/byte-stream.ts';
