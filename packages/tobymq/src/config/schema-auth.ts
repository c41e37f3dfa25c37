// The section `authentication`: who may connect. Each kind has the keys it needs and no others.

import { z } from 'zod';
import { duration } from './units.ts';

const anonymous = z
  .strictObject({
    type: z.literal('anonymous'),
    anyName: z
      .boolean()
      .default(false)
      .describe('Also let clients in that give a user name, which nobody checks then.'),
  })
  .describe('Lets clients in that give no user name.');

const passwordFile = z
  .strictObject({
    type: z.literal('password-file'),
    file: z.string().describe('Lines of `name:hash`, made by `tobymq passwd` or by `mosquitto_passwd`.'),
    cache: duration()
      .default(300)
      .describe(
        'How long a checked password is remembered, so that a thousand clients that reconnect cost little. 0: not at all.',
      ),
  })
  .describe('Checks name and password against a file.');

const http = z
  .strictObject({
    type: z.literal('http'),
    url: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .describe('Where the question is posted to, as JSON.'),
    headers: z.record(z.string(), z.string()).default({}).describe('Headers to send along.'),
    timeout: duration({ min: 0.1, max: 60 }).default(5).describe('How long the answer may take.'),
    parallel: z
      .number()
      .int()
      .min(1)
      .max(10_000)
      .default(100)
      .describe(
        'How many clients the service is asked about at once; the others wait for their turn, no longer than `timeout`.',
      ),
    cache: duration().default(0).describe('How long a positive answer is remembered.'),
  })
  .describe('Asks a web service of yours.');

const jwt = z
  .strictObject({
    type: z.literal('jwt'),
    secret: z
      .string()
      .min(32, 'expected a secret of at least 32 characters')
      .optional()
      .describe('The shared secret (HS256, HS384, HS512).'),
    publicKeyFile: z
      .string()
      .optional()
      .describe('A public key in PEM form (RS, PS, ES and EdDSA algorithms).'),
    jwks: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .optional()
      .describe(
        'Where the key set is fetched from; it is kept, and fetched anew when an unknown key appears.',
      ),
    jwksCooldown: duration({ max: 86_400 })
      .default(5)
      .describe('How long after a fetch of the key set an unknown key does not cause another one.'),
    algorithms: z
      .array(z.string())
      .optional()
      .describe('The algorithms that are accepted. Default: those that fit the key.'),
    issuer: z.string().optional().describe('The `iss` that tokens must have.'),
    audience: z.string().optional().describe('The `aud` that tokens must have.'),
    from: z.enum(['password', 'username']).default('password').describe('Where the client puts its token.'),
    usernameClaim: z
      .string()
      .default('sub')
      .describe(
        'The claim that becomes the user name. With a token without it, only clients that give no name come in.',
      ),
    clientIdClaim: z.string().optional().describe('A claim that must be equal to the client id.'),
    aclClaim: z
      .string()
      .default('acl')
      .describe(
        'The claim with what the client may do: `{"publish": [filters], "subscribe": [filters]}`. A token without it is bound by `access` only.',
      ),
    disconnect: z.boolean().default(true).describe('End the connection when the token expires.'),
  })
  .describe('Checks a JSON Web Token.');

const certificate = z
  .strictObject({
    type: z.literal('certificate'),
    username: z
      .enum(['common-name', 'subject', 'dns', 'email', 'uri'])
      .default('common-name')
      .describe('What of the certificate becomes the user name.'),
  })
  .describe('Lets clients in whose TLS certificate was verified, or who know the pre-shared key.');

const scram = z
  .strictObject({
    type: z.literal('scram'),
    file: z
      .string()
      .describe(
        'Lines of `name:SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER`, made by `tobymq passwd --scram`.',
      ),
  })
  .describe('MQTT 5 enhanced authentication with SCRAM-SHA-256: the password never crosses the network.');

export const authenticatorSchema = z.discriminatedUnion(
  'type',
  [anonymous, passwordFile, http, jwt, certificate, scram],
  {
    error: (issue) =>
      issue.code === 'invalid_union'
        ? 'expected a type: anonymous, password-file, http, jwt, certificate or scram'
        : undefined,
  },
);

export type AuthenticatorConfig = z.output<typeof authenticatorSchema>;
export type HttpAuthConfig = z.output<typeof http>;
export type JwtConfig = z.output<typeof jwt>;
export type CertificateConfig = z.output<typeof certificate>;
