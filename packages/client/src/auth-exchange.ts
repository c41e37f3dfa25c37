// Enhanced authentication on one connection: answers challenges, checks the server's proof, and re-authenticates. While
// an authentication method is thinking, what comes from the server waits; so a message in the same segment as CONNACK
// is not handed over before the server has proved who it is.

import { type AuthProperties, type ConnackProperties, PacketType, ReasonCode } from '@tobymq/codec';
import type { EnhancedAuth } from './auth.ts';
import { ClientError, messageOf, violation } from './errors.ts';

/** What the exchange needs of its connection. */
export interface AuthHost {
  readonly isClosed: boolean;
  send(packet: {
    readonly type: typeof PacketType.Auth;
    readonly reasonCode: number;
    readonly properties: AuthProperties;
  }): void;
  disconnect(reasonCode: number, error: ClientError): void;
  pauseReading(): void;
  resumeReading(): void;
}

export class AuthExchange {
  readonly #auth: EnhancedAuth | undefined;
  readonly #host: AuthHost;
  #renewal: { resolve: () => void; reject: (error: ClientError) => void } | undefined;

  constructor(auth: EnhancedAuth | undefined, host: AuthHost) {
    this.#auth = auth;
    this.#host = host;
  }

  /** Checks a CONNACK that accepts us, and goes on when the server's proof was found good. */
  onConnack(properties: ConnackProperties | undefined, accept: () => void): void {
    const auth = this.#auth;
    // [MQTT-4.12.0-5] [MQTT-4.12.0-6]
    if (properties?.authenticationMethod !== auth?.method) {
      throw violation(ReasonCode.ProtocolError, 'CONNACK has another authentication method than CONNECT');
    }
    const data = properties?.authenticationData?.slice();
    if (auth?.finish === undefined) accept();
    else void this.#think(() => auth.finish?.(data), accept);
  }

  onAuth(reasonCode: number, properties: AuthProperties | undefined): void {
    const auth = this.#auth;
    // [MQTT-4.12.0-5] [MQTT-4.12.0-6]
    if (auth === undefined || properties?.authenticationMethod !== auth.method) {
      throw violation(ReasonCode.ProtocolError, 'AUTH has another authentication method than CONNECT');
    }
    const data = properties.authenticationData?.slice();
    if (reasonCode === ReasonCode.ContinueAuthentication) {
      // [MQTT-4.12.0-3]
      void this.#think(
        () => auth.respond(data),
        (answer) => this.#send(ReasonCode.ContinueAuthentication, auth, answer),
      );
      return;
    }
    const renewal = this.#renewal;
    if (renewal === undefined) {
      throw violation(ReasonCode.ProtocolError, 'AUTH with success came although nothing was asked');
    }
    this.#renewal = undefined;
    void this.#think(() => auth.finish?.(data), renewal.resolve);
  }

  /** Proves again who we are. [MQTT-4.12.1-1] */
  async renew(): Promise<void> {
    const auth = this.#auth;
    if (auth === undefined) {
      // [MQTT-4.12.0-7]
      throw new ClientError('TOBYMQ_OPTION_INVALID', 'reauthenticate() needs the option auth of connect()');
    }
    const data = await auth.start();
    const done = new Promise<void>((resolve, reject) => {
      this.#renewal = { resolve, reject };
    });
    this.#send(ReasonCode.ReAuthenticate, auth, data);
    return done;
  }

  /** The connection has ended. */
  end(error: ClientError): void {
    this.#renewal?.reject(error);
  }

  #send(reasonCode: number, { method }: EnhancedAuth, authenticationData: Uint8Array | undefined): void {
    const properties = { authenticationMethod: method, authenticationData };
    if (!this.#host.isClosed) this.#host.send({ type: PacketType.Auth, reasonCode, properties });
  }

  /** Runs the next step when the method has answered; a failing method ends the connection. */
  async #think<T>(ask: () => T | Promise<T>, next: (value: T) => void): Promise<void> {
    this.#host.pauseReading();
    try {
      const value = await ask();
      if (this.#host.isClosed) return;
      next(value);
      this.#host.resumeReading();
    } catch (cause) {
      const what = `the authentication failed: ${messageOf(cause)}`;
      // [MQTT-4.12.1-2]
      this.#host.disconnect(
        ReasonCode.UnspecifiedError,
        new ClientError('TOBYMQ_AUTH_FAILED', what, { cause }),
      );
    }
  }
}
