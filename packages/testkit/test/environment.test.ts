// Certificates, processes and temporary places, used as the other packages use them.

import { existsSync, readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import {
  type CertificateFiles,
  makeCertificates,
  packetType,
  RawPeer,
  RawServer,
  runProcess,
  TestProcess,
  withTempDir,
} from '@tobymq/testkit';
import { expect, test } from 'vitest';

const load = ({ cert, key }: CertificateFiles): { cert: Buffer; key: Buffer } => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
});

test('certificates make good and bad TLS connections', async () => {
  await withTempDir(async (directory) => {
    const made = await makeCertificates(directory);
    const ca = readFileSync(made.ca.cert);

    const connectTo = async (server: CertificateFiles, client: ConnectionOptions): Promise<void> => {
      const listener = await RawServer.listen({
        tls: { ...load(server), ca, requestCert: true, crl: readFileSync(made.crl) },
      });
      try {
        const peer = await RawPeer.connect({
          port: listener.port,
          tls: { ca, servername: 'localhost', ...client },
        });
        // With TLS 1.3 the client believes to be connected before the server has judged its certificate.
        const refused = peer.expectClose().then(() => Promise.reject(new Error('refused by the server')));
        const other = await Promise.race([listener.accept(), refused]);
        other.send('d000');
        await peer.expect(packetType.PINGRESP);
        peer.destroy();
        await expect(refused).rejects.toThrow();
      } finally {
        await listener.close();
      }
    };

    await connectTo(made.server, load(made.client));
    await expect(connectTo(made.expired, {})).rejects.toThrow(/expired/);
    await expect(connectTo(made.wrongHost, {})).rejects.toThrow(/does not match/);
    await expect(connectTo(made.server, load(made.revokedClient))).rejects.toThrow('refused by the server');
    await expect(connectTo(made.server, load(made.strangerClient))).rejects.toThrow('refused by the server');
    await expect(connectTo(made.server, { ca: readFileSync(made.client.cert) })).rejects.toThrow(
      /unable to get|self.signed|unable to verify/,
    );
  });
});

test('a temporary directory is removed even if the test in it fails', async () => {
  let seen = '';
  const failing = withTempDir((directory) => {
    seen = directory;
    expect(existsSync(directory)).toBe(true);
    throw new Error('on purpose');
  });
  await expect(failing).rejects.toThrow('on purpose');
  expect(existsSync(seen)).toBe(false);
});

test('a process is awaited by a line that it prints, and stopped', async () => {
  const script = 'console.log("listening on 127.0.0.1:4711"); setInterval(() => {}, 1000)';
  const program = TestProcess.start(process.execPath, ['-e', script]);
  const [, port] = await program.line(/listening on .*:(\d+)/);
  expect(port).toBe('4711');
  expect(await program.stop()).toMatchObject({ code: null, signal: 'SIGTERM' });
  await expect(program.line(/never/)).rejects.toThrow(/the program ended before it printed/);
});

test('a process run to its end returns code and output', async () => {
  const script = 'process.stdin.on("data", (d) => process.stdout.write(d)).on("end", () => process.exit(3))';
  expect(await runProcess(process.execPath, ['-e', script], { input: 'hello' })).toMatchObject({
    code: 3,
    stdout: 'hello',
  });
});
