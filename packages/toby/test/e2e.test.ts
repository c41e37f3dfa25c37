import { expect, onTestFinished, test, vi } from 'vitest';
import {
  type Certificate,
  certify,
  type EncryptionError,
  type Envelope,
  exportIdentity,
  generateIdentity,
  type Identity,
  importIdentity,
  KeyDirectory,
  open,
  ReplayGuard,
  requestEnrolment,
  requestRotation,
  revoke,
  seal,
} from '../src/e2e/index.ts';

const NOW = 1_800_000_000_000;
const CODE = 'enrolment code of the day';

interface Member {
  identity: Identity;
  certificate: Certificate;
}

async function account(
  ...ids: string[]
): Promise<{ owner: Identity; members: Member[]; directory: KeyDirectory }> {
  const owner = await generateIdentity('ana');
  const directory = new KeyDirectory(owner.publicKeys.sign, () => NOW);
  const members: Member[] = [];
  for (const id of ids) {
    const identity = await generateIdentity(id);
    const certificate = await certify(owner, await requestEnrolment(identity, CODE), { code: CODE }, NOW);
    await directory.add(certificate);
    members.push({ identity, certificate });
  }
  return { owner, members, directory };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing was thrown',
    (error: EncryptionError) => error.code,
  );
}

test('each recipient opens a message sealed for several, nobody else does', async () => {
  const { members, directory } = await account('switch', 'lamp', 'heater', 'spy');
  const [sender, lamp, heater, spy] = members as [Member, Member, Member, Member];
  const payload = { on: true, note: 'grüße' };
  const envelope = await seal(sender.identity, [lamp.certificate, heater.certificate], payload, NOW);

  expect(await open([lamp.identity], directory, envelope)).toEqual(payload);
  expect(await open([heater.identity], directory, envelope)).toEqual(payload);
  expect(await codeOf(open([spy.identity], directory, envelope))).toBe('TOBYMQ_NOT_A_RECIPIENT');
  expect(JSON.stringify(envelope)).not.toContain('grüße');
});

test('a message whose bytes, sender or recipients were changed on its way is refused', async () => {
  const { members, directory } = await account('switch', 'lamp');
  const [sender, lamp] = members as [Member, Member];
  const envelope = await seal(sender.identity, [lamp.certificate], 'on', NOW);
  const changes = [
    { data: `${envelope.data.slice(0, -4)}AAAA` },
    { sentAt: NOW + 1 },
    { keys: [...envelope.keys, { to: 'spy', keyId: 'x', wrapped: 'AAAA' }] },
    { id: 'another' },
    { signature: 'AAAA' },
  ];
  for (const change of changes) {
    expect(await codeOf(open([lamp.identity], directory, { ...envelope, ...change }))).toBe(
      'TOBYMQ_SIGNATURE_INVALID',
    );
  }
});

test('keys that the owner has not signed are unknown, and a forged certificate is refused', async () => {
  const { members, directory } = await account('lamp');
  const [lamp] = members as [Member];
  const stranger = await generateIdentity('stranger');
  const envelope = await seal(stranger, [lamp.certificate], 'on', NOW);
  expect(await codeOf(open([lamp.identity], directory, envelope))).toBe('TOBYMQ_KEY_UNKNOWN');
  expect(() => directory.recipient('stranger')).toThrow(/no certified key/);

  const forger = await generateIdentity('ana');
  const forged = await certify(forger, await requestEnrolment(stranger, CODE), { code: CODE }, NOW);
  expect(await codeOf(directory.add(forged))).toBe('TOBYMQ_SIGNATURE_INVALID');
});

test('the owner certifies nothing without the right enrolment code', async () => {
  const owner = await generateIdentity('ana');
  const lamp = await generateIdentity('lamp');
  const spy = await generateIdentity('spy');
  const request = await requestEnrolment(lamp, CODE);
  expect(await codeOf(certify(owner, request, { code: 'another code' }, NOW))).toBe(
    'TOBYMQ_ENROLMENT_INVALID',
  );
  expect(await codeOf(certify(owner, request, {}, NOW))).toBe('TOBYMQ_ENROLMENT_INVALID');
  const swapped = { ...request, publicKeys: spy.publicKeys };
  expect(await codeOf(certify(owner, swapped, { code: CODE }, NOW))).toBe('TOBYMQ_ENROLMENT_INVALID');
});

test.each(['receive', 'sign'] as const)('the owner certifies nothing that is no key to %s', async (which) => {
  const owner = await generateIdentity('ana');
  const lamp = await generateIdentity('lamp');
  const publicKeys = { ...lamp.publicKeys, [which]: 'AAAA' };
  const request = await requestEnrolment({ ...lamp, publicKeys }, CODE);
  expect(await codeOf(certify(owner, request, { code: CODE }, NOW))).toBe('TOBYMQ_ENROLMENT_INVALID');
});

test('a rotation is vouched for by the old key, and messages under way are still opened', async () => {
  const { owner, members, directory } = await account('switch', 'lamp');
  const [sender, lamp] = members as [Member, Member];
  const underWay = await seal(sender.identity, [lamp.certificate], 'before', NOW);

  const next = await generateIdentity('lamp');
  const rotation = await requestRotation(lamp.identity, next);
  const certificate = await certify(owner, rotation, { current: lamp.certificate }, NOW);
  expect(certificate.serial).toBe(lamp.certificate.serial + 1);
  expect(await directory.add(certificate)).toBe(true);
  expect(await directory.add(lamp.certificate)).toBe(false);
  expect(directory.recipient('lamp')).toEqual(certificate);

  expect(await open([next, lamp.identity], directory, underWay)).toBe('before');
  const answer = await seal(lamp.identity, [sender.certificate], 'signed with the old key', NOW);
  expect(await open([sender.identity], directory, answer)).toBe('signed with the old key');

  const thief = await generateIdentity('lamp');
  const theft = await requestRotation(await generateIdentity('lamp'), thief);
  expect(await codeOf(certify(owner, theft, { current: certificate }, NOW))).toBe('TOBYMQ_ENROLMENT_INVALID');
});

test('a revoked key is neither sealed for nor believed', async () => {
  const { owner, members, directory } = await account('switch', 'lamp');
  const [stolen, lamp] = members as [Member, Member];
  await directory.add(await revoke(owner, stolen.certificate, NOW));
  const envelope = await seal(stolen.identity, [lamp.certificate], 'open the door', NOW);
  expect(await codeOf(open([lamp.identity], directory, envelope))).toBe('TOBYMQ_KEY_REVOKED');
  expect(directory.botIds()).toEqual(['lamp']);
});

test('a message is accepted once, and not when it is older than the window', async () => {
  const { members } = await account('switch', 'lamp');
  const [sender, lamp] = members as [Member, Member];
  const guard = new ReplayGuard(() => NOW, 60_000);
  const envelope = await seal(sender.identity, [lamp.certificate], 'on', NOW);
  guard.check(envelope);
  expect(() => guard.check(envelope)).toThrow(/came again/);
  const old = await seal(sender.identity, [lamp.certificate], 'on', NOW - 60_001);
  expect(() => guard.check(old)).toThrow(/came again/);
});

test('an identity survives export and import', async () => {
  const { members, directory } = await account('switch', 'lamp');
  const [sender, lamp] = members as [Member, Member];
  const stored = JSON.parse(JSON.stringify(await exportIdentity(lamp.identity)));
  const envelope = await seal(sender.identity, [lamp.certificate], [1, 2, 3], NOW);
  expect(await open([await importIdentity(stored)], directory, envelope)).toEqual([1, 2, 3]);
});

test('withdrawn keys are not certified again by the request that certified them first', async () => {
  const owner = await generateIdentity('ana');
  const lamp = await generateIdentity('lamp');
  const recorded = await requestEnrolment(lamp, CODE);
  const current = await revoke(owner, await certify(owner, recorded, { code: CODE }, NOW), NOW);
  expect(await codeOf(certify(owner, recorded, { code: CODE, current }, NOW))).toBe('TOBYMQ_KEY_REVOKED');
  const replacement = await requestEnrolment(await generateIdentity('lamp'), CODE);
  expect(await certify(owner, replacement, { code: CODE, current }, NOW)).toMatchObject({ revoked: false });
});

test('withdrawn keys are not believed either when the bot has got new ones', async () => {
  const { owner, members, directory } = await account('switch', 'lamp');
  const [stolen, lamp] = members as [Member, Member];
  const current = await revoke(owner, stolen.certificate, NOW);
  await directory.add(current);
  const fresh = await generateIdentity('switch');
  await directory.add(
    await certify(owner, await requestEnrolment(fresh, CODE), { code: CODE, current }, NOW),
  );
  const forged = await seal(stolen.identity, [lamp.certificate], 'open the door', NOW);
  expect(await codeOf(open([lamp.identity], directory, forged))).toBe('TOBYMQ_KEY_UNKNOWN');
});

test('keys before a rotation count for a day, however often the new ones are certified', async () => {
  let now = NOW;
  const owner = await generateIdentity('ana');
  const directory = new KeyDirectory(owner.publicKeys.sign, () => now);
  const [old, next] = [await generateIdentity('lamp'), await generateIdentity('lamp')];
  let current = await certify(owner, await requestEnrolment(old, CODE), { code: CODE }, now);
  await directory.add(current);
  current = await certify(owner, await requestRotation(old, next), { current }, now);
  await directory.add(current);
  now += 12 * 3600 * 1000;
  const again = await requestEnrolment(next, CODE);
  current = await certify(owner, again, { code: CODE, current }, now);
  await directory.add(current);
  expect(directory.sender('lamp', old.publicKeys.keyId).publicKeys).toEqual(old.publicKeys);
  now += 12 * 3600 * 1000;
  expect(() => directory.sender('lamp', old.publicKeys.keyId)).toThrow(/is not certified/);
});

test('a message is not accepted again when very many others came after it', () => {
  const guard = new ReplayGuard(() => NOW);
  const message = (n: number): Envelope => ({ id: `id ${n}`, from: 'switch', sentAt: NOW + n }) as Envelope;
  for (let n = 0; n <= 100_000; n++) guard.check(message(n));
  for (const n of [0, 1, 100_000]) expect(() => guard.check(message(n))).toThrow(/came again/);
  guard.check({ ...message(0), from: 'heater' });
  guard.check(message(100_001));
});

test('a message of a sender whose clock is ahead is not accepted again either', () => {
  let now = NOW;
  const guard = new ReplayGuard(() => now, 60_000);
  const message = (id: string, sentAt: number): Envelope => ({ id, from: 'switch', sentAt }) as Envelope;
  guard.check(message('a', NOW + 30_000));
  now += 70_000;
  guard.check(message('b', now));
  expect(() => guard.check(message('a', NOW + 30_000))).toThrow(/came again/);
});

test('a certificate that is known is not verified again', async () => {
  const { members, directory } = await account('lamp');
  const [lamp] = members as [Member];
  const verify = vi.spyOn(crypto.subtle, 'verify');
  onTestFinished(() => verify.mockRestore());
  expect(await directory.add(lamp.certificate)).toBe(false);
  expect(verify).not.toHaveBeenCalled();
  const forged = { ...lamp.certificate, signature: lamp.certificate.signature.replace(/^./, '_') };
  expect(await codeOf(directory.add(forged))).toBe('TOBYMQ_SIGNATURE_INVALID');
});
