// Sizes that decide how bytes are handled on their way out.

/** The largest packet that MQTT can express. */
export const MAX_PACKET_SIZE = 268_435_460;

/** Payloads of at least this size are written by reference; smaller ones are copied next to their header. */
export const REFERENCE_BYTES_MIN = 8_192;
