// The section `listeners`: where clients connect, over what, and what is different there.

import { z } from 'zod';
import { accessSchema } from './schema-access.ts';
import { authenticatorSchema } from './schema-auth.ts';
import { listenerOverrides } from './schema-limits.ts';

const keyPair = {
  cert: z.string().describe('The certificate chain, a PEM file.'),
  key: z.string().describe('Its private key, a PEM file.'),
};

const tlsSchema = z
  .strictObject({
    cert: keyPair.cert.optional(),
    key: keyPair.key.optional(),
    passphrase: z.string().optional().describe('The passphrase of the key.'),
    ca: z
      .string()
      .optional()
      .describe(
        'The authorities that client certificates are checked against: a PEM file, or a folder of them.',
      ),
    clientCertificates: z
      .enum(['none', 'request', 'require'])
      .default('none')
      .describe('Whether clients are asked for a certificate, and whether they must have one.'),
    crl: z.string().optional().describe('A list of revoked certificates, a PEM file.'),
    allowExpiredClients: z
      .boolean()
      .default(false)
      .describe('Accept client certificates whose time is over.'),
    minVersion: z
      .enum(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'])
      .default('TLSv1.2')
      .describe('The lowest TLS version.'),
    maxVersion: z
      .enum(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'])
      .optional()
      .describe('The highest TLS version.'),
    ciphers: z.string().optional().describe('The ciphers, as OpenSSL writes them.'),
    sni: z
      .array(
        z.strictObject({
          names: z.array(z.string()).min(1).describe('Server names; `*.example.org` is allowed.'),
          ...keyPair,
        }),
      )
      .default([])
      .describe('Other certificates by the server name that the client asks for.'),
    pskFile: z.string().optional().describe('Pre-shared keys: lines of `identity:key in hex`.'),
    pskHint: z.string().optional().describe('The hint that clients with a pre-shared key are told.'),
  })
  .describe('Certificates and what belongs to them. Changed files are taken on reload.');

export const listenerSchema = z
  .strictObject({
    name: z.string().min(1).optional().describe('How logs and metrics call it. Default: type and port.'),
    type: z
      .enum(['tcp', 'tls', 'ws', 'wss', 'unix'])
      .default('tcp')
      .describe(
        '`ws` is MQTT over WebSocket; `tls` and `wss` need the section `tls`; `unix` is a socket file.',
      ),
    host: z
      .string()
      .default('127.0.0.1')
      .describe(
        'The address to listen on. `0.0.0.0` is every IPv4 address of the machine, `::` every address.',
      ),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .optional()
      .describe('The port; 0 takes any that is free. Default: 1883 tcp, 8883 tls, 18083 ws, 18084 wss.'),
    ipv6Only: z.boolean().default(false).describe('With an IPv6 address: do not accept IPv4.'),
    path: z
      .string()
      .optional()
      .describe(
        '`ws` and `wss`: the path of the URL (default `/mqtt`). `unix`: the path of the socket file.',
      ),
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, 'expected three octal digits such as 660')
      .optional()
      .describe('`unix`: the permissions of the socket file.'),
    systemd: z
      .string()
      .optional()
      .describe(
        'Take the socket of this name from systemd (`FileDescriptorName=`), or the one at this position, counted from 0.',
      ),
    tls: tlsSchema.optional(),
    origins: z
      .array(z.string())
      .default([])
      .describe('`ws` and `wss`: the values of `Origin` that are accepted. Default: any.'),
    compression: z
      .boolean()
      .default(false)
      .describe('`ws` and `wss`: permessage-deflate. It costs memory and time for each client.'),
    proxyProtocol: z
      .strictObject({
        version: z.enum(['any', '1', '2']).default('any').describe('The versions that are accepted.'),
        trusted: z
          .array(z.string())
          .default([])
          .describe('Addresses and networks of the proxies. Default: only loopback and private networks.'),
        requireTls: z
          .boolean()
          .default(false)
          .describe('Refuse clients that did not use TLS at the proxy (version 2).'),
      })
      .optional()
      .describe('Connections begin with a PROXY header, which tells where the client really is.'),
    noDelay: z.boolean().default(true).describe("Switch off Nagle's algorithm."),
    mountPoint: z.string().default('').describe('Put in front of all topics of clients of this listener.'),
    usernameAsClientId: z.boolean().default(false).describe('The client id is always the user name.'),
    httpDir: z
      .string()
      .optional()
      .describe('`ws` and `wss`: a folder whose files are served over HTTP beside it.'),
    authentication: z.array(authenticatorSchema).optional().describe('Instead of the general one.'),
    access: accessSchema.optional().describe('Instead of the general one.'),
    limits: listenerOverrides.prefault({}).describe('Limits that differ here.'),
  })
  .superRefine((listener, context) => {
    const issue = (key: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [key], message });
    };
    const usesTls = listener.type === 'tls' || listener.type === 'wss';
    if (usesTls && !listener.tls)
      issue('tls', `a listener of type ${listener.type} needs "tls" with "cert" and "key"`);
    if (!usesTls && listener.tls)
      issue('tls', `a listener of type ${listener.type} has no TLS; use type tls or wss`);
    if (listener.tls && listener.tls.pskFile === undefined && (!listener.tls.cert || !listener.tls.key)) {
      issue('tls', 'expected "cert" and "key" (or "pskFile")');
    }
    if (
      listener.tls?.clientCertificates !== undefined &&
      listener.tls.clientCertificates !== 'none' &&
      !listener.tls.ca
    ) {
      issue('tls', 'client certificates need "ca" to be checked against');
    }
    if (listener.type === 'unix' && listener.path === undefined && listener.systemd === undefined) {
      issue('path', 'a listener of type unix needs "path"');
    }
    if (listener.path !== undefined && (listener.type === 'tcp' || listener.type === 'tls')) {
      issue('path', `a listener of type ${listener.type} has no path`);
    }
  });

export type ListenerConfig = z.output<typeof listenerSchema>;
export type TlsConfig = z.output<typeof tlsSchema>;
