// Enhanced authentication on one connection: answers challenges, checks the server's proof, and re-authenticates. While
// an authentication method is thinking, what comes from the server waits; so a message in the same segment as CONNACK
// is not handed over before the server has proved who it is.

import { type AuthProperties, type ConnackProperties, PacketType, ReasonCode } from '@tobymq/codec';
import type { EnhancedAuth } from './auth.ts';
import { type ClientError, causedBy, invalidOption, protocolError } from './errors.ts';

/** What the exchange needs of its connection. */
export interface AuthHost {
  readonly isClosed: boolean;
  send(packet: {
    readonly type: typeof PacketType.Auth;
    readonly reasonCode: number;
    readonly properties: AuthProperties;
  }): void;
  disconnect(reasonCode: number, error: ClientError): void;
  /** What comes in waits, in order, until `resumeReading`. */
  pauseReading(): void;
  resumeReading(): void;
}

export class AuthExchange {
  readonly #auth: EnhancedAuth | undefined;
  readonly #host: AuthHost;
  /** The re-authentication that is under way. */
  #renewing: Promise<void> | undefined;
  #renewal: { resolve: () => void; reject: (error: ClientError) => void } | undefined;
  /** What ended the connection. */
  #endReason: ClientError | undefined;

  constructor(auth: EnhancedAuth | undefined, host: AuthHost) {
    this.#auth = auth;
    this.#host = host;
  }

  /** Checks a CONNACK that accepts us, and goes on when the server's proof was found good. */
  onConnack(properties: ConnackProperties | undefined, accept: () => void): void {
    this.#checkMethod(properties);
    if (this.#auth?.finish === undefined) accept();
    else this.#finish(properties, accept);
  }

  onAuth(reasonCode: number, properties: AuthProperties | undefined): void {
    this.#checkMethod(properties);
    if (reasonCode === ReasonCode.ContinueAuthentication) {
      const data = properties?.authenticationData;
      // [MQTT-4.12.0-3]
      void this.#think(
        () => this.#auth!.respond(data),
        (answer) => this.#send(ReasonCode.ContinueAuthentication, answer),
      );
      return;
    }
    const renewal = this.#renewal;
    if (renewal === undefined) {
      throw protocolError('AUTH with success came although nothing was asked');
    }
    this.#finish(properties, () => {
      this.#renewal = undefined;
      renewal.resolve();
    });
  }

  /** Proves again who we are. Who asks while that is under way waits for the same answer. [MQTT-4.12.1-1] */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    // [MQTT-4.12.0-7]
    if (this.#auth === undefined) throw invalidOption('reauthenticate() needs the option auth of connect()');
    const data = await this.#auth.start();
    // The method may have thought for longer than the connection lived.
    if (this.#endReason !== undefined) throw this.#endReason;
    const done = new Promise<void>((resolve, reject) => {
      this.#renewal = { resolve, reject };
    });
    this.#send(ReasonCode.ReAuthenticate, data);
    return done;
  }

  /** The connection has ended. */
  end(error: ClientError): void {
    this.#endReason = error;
    this.#renewal?.reject(error);
  }

  /** [MQTT-4.12.0-5] [MQTT-4.12.0-6] An AUTH packet always has a method, so none comes past this without the option. */
  #checkMethod(properties: AuthProperties | undefined): void {
    if (properties?.authenticationMethod !== this.#auth?.method)
      throw protocolError('the server has another authentication method than CONNECT');
  }

  #send(reasonCode: number, authenticationData: Uint8Array | undefined): void {
    const properties = { authenticationMethod: this.#auth?.method, authenticationData };
    if (!this.#host.isClosed) this.#host.send({ type: PacketType.Auth, reasonCode, properties });
  }

  #finish(properties: AuthProperties | undefined, next: () => void): void {
    const data = properties?.authenticationData;
    void this.#think(() => this.#auth?.finish?.(data), next);
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
      // [MQTT-4.12.1-2]
      this.#host.disconnect(
        ReasonCode.UnspecifiedError,
        causedBy(cause, 'TOBYMQ_AUTH_FAILED', 'the authentication failed'),
      );
    }
  }
}
