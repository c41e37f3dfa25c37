import { expect, test } from 'vitest';
import { scramSha256 } from '../src/auth/scram.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

// The example of RFC 7677, section 3.
const NONCE = 'rOprNGfwEbeRWgbNEkqO';
const SERVER_FIRST = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
const CLIENT_FINAL =
  'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
const SERVER_FINAL = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

test('SCRAM-SHA-256 gives the messages of the example in RFC 7677', async () => {
  const auth = scramSha256({ username: 'user', password: 'pencil', nonce: () => NONCE });
  expect(auth.method).toBe('SCRAM-SHA-256');
  expect(text(await auth.start())).toBe(`n,,n=user,r=${NONCE}`);
  expect(text(await auth.respond(bytes(SERVER_FIRST)))).toBe(CLIENT_FINAL);
  await auth.finish?.(bytes(SERVER_FINAL));
});

test.each([
  ['a nonce that is not a continuation of ours', SERVER_FIRST.replace('rOpr', 'xxxx'), /nonce/],
  ['our own nonce given back', `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, /nonce/],
  ['too few iterations', SERVER_FIRST.replace('4096', '10'), /10 iterations/],
  ['endless iterations', SERVER_FIRST.replace('4096', '99999999999'), /iterations/],
  ['no salt', `r=${NONCE}abc,i=4096`, /incomplete/],
])('%s ends the exchange', async (_what, challenge, message) => {
  const auth = scramSha256({ username: 'user', password: 'pencil', nonce: () => NONCE });
  await auth.start();
  await expect((async () => auth.respond(bytes(challenge)))()).rejects.toThrow(message);
});

test.each(['v=AAAA', 'e=invalid-proof', ''])('a server that ends with %j is not believed', async (final) => {
  const auth = scramSha256({ username: 'user', password: 'pencil', nonce: () => NONCE });
  await auth.start();
  await auth.respond(bytes(SERVER_FIRST));
  await expect((async () => auth.finish?.(bytes(final)))()).rejects.toMatchObject({
    code: 'TOBYMQ_AUTH_FAILED',
  });
});

test('commas and equal signs in user names are escaped', async () => {
  const auth = scramSha256({ username: 'a,b=c', password: 'x', nonce: () => NONCE });
  expect(text(await auth.start())).toBe(`n,,n=a=2Cb=3Dc,r=${NONCE}`);
});
