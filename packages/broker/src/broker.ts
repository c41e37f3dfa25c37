// The broker: puts the parts together.

/** An MQTT server as a library. */
export class Broker {}
