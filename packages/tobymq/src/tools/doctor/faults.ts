// Everything that `tobymq doctor` can find wrong, with the likely cause and what to do about it. The names are stable:
// scripts read them from `--json`.

import { ExitCode } from '../exit-codes.ts';

export interface FaultInfo {
  readonly cause: string;
  readonly remedy: string;
  readonly exitCode: ExitCode;
}

const { Unreachable, Tls, Refused, NotAuthorized, Limit } = ExitCode;

export const faults = {
  HOST_UNKNOWN: {
    cause: 'The name is misspelt, or the DNS of this machine does not know it.',
    remedy: 'Check the spelling; try the IP address; try the name with "getent hosts NAME".',
    exitCode: Unreachable,
  },
  PORT_CLOSED: {
    cause:
      'No server listens on this port: it is not running, listens on another port, or only for its own machine.',
    remedy:
      'Start the server, or use the port of one of its listeners. 1883 is usual for MQTT, 8883 for MQTT over TLS.',
    exitCode: Unreachable,
  },
  HOST_UNREACHABLE: {
    cause:
      'Nothing answers: the machine is off, in another network, or a firewall drops what is sent to this port.',
    remedy: 'Check the network and the firewalls on the way; try from the machine of the server itself.',
    exitCode: Unreachable,
  },
  SOCKET_MISSING: {
    cause:
      'There is no such socket file, or nobody listens on it any more, or it may not be opened by this user.',
    remedy: 'Check the path and the rights of the file, and that the server runs.',
    exitCode: Unreachable,
  },
  TLS_ON_PLAIN_PORT: {
    cause: 'The port speaks no TLS, but the address asks for TLS.',
    remedy: 'Use mqtt:// (or ws://) for this port, or the port of a listener with TLS, usually 8883.',
    exitCode: Tls,
  },
  PLAIN_ON_TLS_PORT: {
    cause: 'The port expects TLS, but the address asks for an unencrypted connection.',
    remedy: 'Use mqtts:// (or wss://) for this port.',
    exitCode: Tls,
  },
  CERTIFICATE_EXPIRED: {
    cause: 'The certificate of the server is out of date.',
    remedy:
      'Renew it on the server. If it is new, check that the server has loaded it, and the clock of this machine.',
    exitCode: Tls,
  },
  CERTIFICATE_NOT_YET_VALID: {
    cause: 'The certificate of the server is valid only later, or the clock of this machine is wrong.',
    remedy: 'Set the clock of this machine.',
    exitCode: Tls,
  },
  CERTIFICATE_WRONG_HOST: {
    cause: 'The certificate of the server is for another name.',
    remedy:
      'Connect by a name that is in it, or pass that name as --server-name, or have a certificate made for this name.',
    exitCode: Tls,
  },
  CERTIFICATE_UNTRUSTED: {
    cause:
      'The certificate was issued by an authority that this machine does not know, or by itself, or the server does not send the certificates in between.',
    remedy:
      'Pass the certificate of the authority as --ca FILE; a public server should send its whole chain.',
    exitCode: Tls,
  },
  CLIENT_CERTIFICATE_REQUIRED: {
    cause: 'The server admits only clients with a certificate.',
    remedy: 'Pass your certificate and its key as --cert FILE and --key FILE.',
    exitCode: Tls,
  },
  CLIENT_CERTIFICATE_REFUSED: {
    cause: 'The server does not trust the certificate of this client, or has revoked it.',
    remedy: 'Use a certificate that was issued by the authority that the server is configured with.',
    exitCode: Tls,
  },
  TLS_FAILED: {
    cause:
      'Server and client agree on no version or cipher of TLS, or something in between breaks the handshake.',
    remedy: 'Look into the log of the server; allow TLS 1.2 or 1.3 there.',
    exitCode: Tls,
  },
  WEBSOCKET_PATH_WRONG: {
    cause: 'A web server answers, but not with a WebSocket at this path.',
    remedy:
      'Use the path of the MQTT listener, usually /mqtt; behind a proxy, check that it passes on WebSocket upgrades.',
    exitCode: Unreachable,
  },
  WEBSOCKET_SUBPROTOCOL: {
    cause: 'A WebSocket server answers, but it does not speak the subprotocol "mqtt".',
    remedy: 'Use the path of the MQTT listener, or let the proxy pass on the header Sec-WebSocket-Protocol.',
    exitCode: Unreachable,
  },
  WEBSOCKET_ON_MQTT_PORT: {
    cause: 'The port speaks MQTT without WebSocket.',
    remedy: 'Use mqtt:// (mqtts:// with TLS) for this port, or the port of a WebSocket listener.',
    exitCode: Unreachable,
  },
  WEBSOCKET_PORT: {
    cause: 'The port speaks MQTT over WebSocket, but the address asks for plain MQTT.',
    remedy: 'Use ws:// (wss:// with TLS) and the path, usually /mqtt.',
    exitCode: Unreachable,
  },
  HTTP_SERVER: {
    cause: 'A web server listens on this port, not an MQTT server.',
    remedy: 'Use the port of the MQTT server, usually 1883 or 8883.',
    exitCode: Unreachable,
  },
  NOT_MQTT: {
    cause: 'Something else than an MQTT server listens on this port.',
    remedy: 'Check host and port.',
    exitCode: Unreachable,
  },
  SILENT_SERVER: {
    cause:
      'The connection is accepted, but nothing ever answers: the server is overloaded or stuck, or a proxy has no server behind it.',
    remedy: 'Look into the log of the server or the proxy; try from the machine of the server itself.',
    exitCode: Unreachable,
  },
  CLOSED_AT_ONCE: {
    cause:
      'The server closes the connection instead of answering CONNECT: it refuses this address, has no room, or a proxy has no server behind it.',
    remedy: 'Look into the log of the server for the reason; check limits and bans of addresses.',
    exitCode: Unreachable,
  },
  VERSION_REFUSED: {
    cause: 'The server does not accept this version of MQTT.',
    remedy: 'Use another version with --protocol.',
    exitCode: Refused,
  },
  CLIENT_ID_REFUSED: {
    cause:
      'The server does not accept this client identifier: it is too long, has forbidden characters, or is not the one that belongs to this user.',
    remedy: 'Give the identifier that the server expects with --id.',
    exitCode: Refused,
  },
  BAD_CREDENTIALS: {
    cause: 'The user name or the password is wrong.',
    remedy: 'Check both; a password from a file must not have blanks at its end.',
    exitCode: NotAuthorized,
  },
  ANONYMOUS_REFUSED: {
    cause: 'The server admits nobody without a user name and password.',
    remedy: 'Give them with --username and --password-file, or TOBYMQ_USERNAME and TOBYMQ_PASSWORD.',
    exitCode: NotAuthorized,
  },
  NOT_AUTHORIZED: {
    cause: 'The server knows this client or user, but does not admit it, or the password is wrong.',
    remedy: 'Check the credentials and the rules of the server for this user, client identifier and address.',
    exitCode: NotAuthorized,
  },
  BANNED: {
    cause: 'The server has banned this client, user or address.',
    remedy: 'Ask who runs the server; on TobyMQ its HTTP API lists and lifts bans.',
    exitCode: NotAuthorized,
  },
  AUTHENTICATION_METHOD: {
    cause: 'The server does not offer this method of authentication.',
    remedy: 'Leave out --scram, or configure the method on the server.',
    exitCode: NotAuthorized,
  },
  SERVER_BUSY: {
    cause: 'The server is overloaded, is shutting down, or has reached a limit of connections.',
    remedy: 'Try again later; raise the limit on the server.',
    exitCode: Refused,
  },
  SERVER_MOVED: {
    cause: 'The server sends its clients to another server.',
    remedy: 'Use the address that it names.',
    exitCode: Refused,
  },
  WILL_REFUSED: {
    cause: 'The server does not accept the Will: its QoS, its retain flag or its topic.',
    remedy: 'Leave the Will out, or change it to what the server offers.',
    exitCode: Refused,
  },
  CONNECT_REFUSED: {
    cause: 'The server refuses the connection for a reason of its own.',
    remedy: 'Look into the log of the server.',
    exitCode: Refused,
  },
  SESSION_TAKEN_OVER: {
    cause: 'Another client connects with the same client identifier; each throws the other out.',
    remedy: 'Give every client an identifier of its own (--id).',
    exitCode: Refused,
  },
  SUBSCRIBE_DENIED: {
    cause: 'The rules of the server do not allow this client to subscribe to the topic.',
    remedy: 'Allow it there, or name a topic that is allowed with --topic.',
    exitCode: NotAuthorized,
  },
  PUBLISH_DENIED: {
    cause: 'The rules of the server do not allow this client to publish to the topic.',
    remedy: 'Allow it there, or name a topic that is allowed with --topic.',
    exitCode: NotAuthorized,
  },
  PACKET_TOO_LARGE: {
    cause: 'The message is larger than the server accepts.',
    remedy: 'Send smaller messages, or raise the maximum packet size of the server.',
    exitCode: Limit,
  },
  NOT_DELIVERED: {
    cause:
      'The server took the message, but did not deliver it: a rule forbids reading the topic, or an extension dropped it.',
    remedy: 'Look into the log of the server; on TobyMQ ask "tobymq explain".',
    exitCode: Refused,
  },
  KEEP_ALIVE_KILLED: {
    cause:
      'An idle connection does not live: the server or a proxy in between closes it although it is kept alive, or does not answer pings.',
    remedy:
      'Raise the idle timeout of the proxy or load balancer above the keep-alive; look into the log of the server.',
    exitCode: Unreachable,
  },
  CONNECTION_DROPPED: {
    cause:
      'The server or something in between closed the connection without a reason: often a rule that was broken, or another client with the same identifier.',
    remedy: 'Look into the log of the server; try MQTT 5, in which servers tell the reason.',
    exitCode: Unreachable,
  },
} as const satisfies Readonly<Record<string, FaultInfo>>;

export type FaultName = keyof typeof faults;
