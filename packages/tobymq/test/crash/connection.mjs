// One MQTT connection as bytes on a socket: the test must know exactly what was sent and what was acknowledged, so
// it uses no client library.

import { connect } from 'node:net';
import { Decoder, encode, PacketType } from '@tobymq/codec';

export class Connection {
  /** Called with each packet after CONNACK. */
  onPacket = () => {};
  /** Called once when the connection is gone. */
  onClose = () => {};
  #socket;
  #version;
  #closed = false;

  constructor(version) {
    this.#version = version;
  }

  get isClosed() {
    return this.#closed;
  }

  /** Connects and resolves with CONNACK; rejects when the server is killed before it sends one. */
  open(port, clientId, { cleanStart = false } = {}) {
    return new Promise((resolve, reject) => {
      const decoder = new Decoder({ role: 'client', version: this.#version, ownsChunks: false });
      this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
      let connack;
      this.#socket.on('data', (chunk) => {
        decoder.feed(chunk);
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
          if (this.#closed) return;
          if (connack !== undefined) this.onPacket(packet);
          else {
            connack = packet;
            resolve(packet);
          }
        }
      });
      this.#socket.on('error', () => undefined);
      this.#socket.on('close', () => {
        this.#closed = true;
        reject(new ConnectionLost());
        this.onClose();
      });
      this.send({
        type: PacketType.Connect,
        protocolVersion: this.#version,
        clientId,
        cleanStart,
        keepAlive: 0,
        properties: this.#version === 5 && !cleanStart ? { sessionExpiryInterval: 0xffff_ffff } : undefined,
      });
    });
  }

  send(packet) {
    if (!this.#closed) this.#socket.write(encode(packet, this.#version));
  }

  /** Ends it from this side: politely with DISCONNECT, or by dropping the socket. */
  close(politely) {
    if (this.#closed) return;
    this.#closed = true;
    if (politely) this.#socket.end(encode({ type: PacketType.Disconnect }, this.#version));
    else this.#socket.destroy();
  }
}

export class ConnectionLost extends Error {
  constructor() {
    super('the connection was lost');
  }
}
