import { defineConfig } from 'vitest/config';

// Tests import the packages by name; this condition takes their TypeScript sources, so that no build stands
// between an edit and its test. Tests that start real processes run the built files.
export default defineConfig({
  resolve: { conditions: ['tobymq-source', 'node'] },
  ssr: { resolve: { conditions: ['tobymq-source', 'node'] } },
  test: {
    include: [
      'test/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'benchmarks/**/*.test.ts',
      'examples/**/*.test.ts',
    ],
    setupFiles: 'test/bytes.ts',
    pool: 'threads',
    // One more than the smallest machine has cores, because many tests wait for processes: a sixth less time on two.
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // The certificates that a machine trusts beside the usual ones concern no test, and Node 20 spends more time on
    // reading them at each start of a process than on everything else.
    env: { NODE_EXTRA_CA_CERTS: '' },
  },
});
