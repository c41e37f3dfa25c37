// The log file on a disk that becomes full, and syslog when its program hangs.

import { writeSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Syslog } from '../src/logging/destinations.ts';
import { LogFile } from '../src/logging/log-file.ts';

/** A log file with space for so many bytes, and a clock that stands still until it is moved. */
async function logOnDisk(free: number) {
  const folder = await mkdtemp(join(tmpdir(), 'tobymq-log-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'log');
  const disk = { free, attempts: 0 };
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
  onTestFinished(() => clock.mockRestore());
  const log: LogFile = new LogFile(
    path,
    ({ count, reason }) => log.write(`${count} lost: ${reason}`),
    (descriptor, bytes) => {
      disk.attempts++;
      if (disk.free === 0) throw new Error('no space');
      const written = writeSync(descriptor, bytes.subarray(0, disk.free));
      disk.free -= written;
      return written;
    },
  );
  return {
    log,
    disk,
    content: () => readFile(path, 'utf8'),
    passMs: (ms: number) => clock.mockReturnValue(ms),
  };
}

test('on a full disk lines are counted, not kept, and the file says how many are missing', async () => {
  const { log, disk, content, passMs } = await logOnDisk('first\nsec'.length);
  log.write('first');
  log.write('second');
  const { attempts } = disk;
  for (let line = 0; line < 1_000; line++) log.write('lost');
  expect(disk.attempts, 'a full disk is not asked for each line').toBe(attempts);
  passMs(1_000);
  log.write('lost');
  expect(disk.attempts).toBe(attempts + 1);
  disk.free = 10_000;
  log.write('lost');
  passMs(2_000);
  log.write('third');
  log.close();
  expect(await content()).toBe('first\nsecond\n1002 lost: no space\nthird\n');
});

test('a disk with space for nothing but the number of missing lines does not forget it', async () => {
  const { log, disk, content, passMs } = await logOnDisk(0);
  log.write('lost');
  passMs(1_000);
  disk.free = 1;
  log.write('second');
  passMs(2_000);
  disk.free = 10_000;
  log.write('third');
  log.close();
  expect(await content()).toBe('1 lost: no space\n1 lost: no space\nthird\n');
});

test('while logger hangs, lines for syslog are counted, and the first that it takes again tells how many', () => {
  const taken: string[] = [];
  let isTaken = (): void => {};
  const logger = new Writable({
    write: (chunk, _encoding, callback) => {
      taken.push(String(chunk));
      isTaken = callback;
    },
    writev: (chunks, callback) => {
      for (const { chunk } of chunks) taken.push(String(chunk));
      isTaken = callback;
    },
  });
  const syslog: Syslog = new Syslog(
    'syslog:local3',
    ({ file, count }) => syslog.write(`${file}: ${count}`, 'warn'),
    logger,
  );
  const line = 'x'.repeat(500_000);
  for (let i = 0; i < 10; i++) syslog.write(line, 'info');
  expect(logger.writableLength).toBeLessThan(2_000_000);
  isTaken();
  isTaken();
  expect(taken.splice(0)).toHaveLength(3);
  syslog.write('next', 'error');
  isTaken();
  expect(taken).toEqual(['<4>syslog:local3: 7\n', '<3>next\n']);
});
