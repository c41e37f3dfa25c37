// The operations that a batch consists of, as bytes. `batch.ts` writes them, `apply-batch.ts` reads them in the worker.
//
//   byte          then
//   PutSession    key, record with u32 length
//   DeleteSession key
//   PutFilter     session key, filter, options byte, subscription identifier
//   DeleteFilter  session key, filter
//   PutInbound    session key, packet identifier
//   DeleteInbound session key, packet identifier
//   Dequeue       session key, message id
//   SetDelivery   session key, message id, state and packet identifier as delivery bits
//   Release       session key, message id
//   Enqueue       message id, size, expiry, body with u32 length, count of targets,
//                 then for each: session key, delivery bits, subscription identifiers as bytes
//   PutRetained   topic, message id, expiry, body with u32 length
//   DeleteRetained topic
//   PutValue      space, key, value
//   DeleteValue   space, key
//
// Everything that deletes comes before what puts.

export const Op = {
  PutSession: 1,
  DeleteSession: 2,
  PutFilter: 3,
  DeleteFilter: 4,
  PutInbound: 5,
  DeleteInbound: 6,
  Dequeue: 7,
  SetDelivery: 8,
  Release: 9,
  Enqueue: 10,
  PutRetained: 11,
  DeleteRetained: 12,
  PutValue: 13,
  DeleteValue: 14,
} as const;
