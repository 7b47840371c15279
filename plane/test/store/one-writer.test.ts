// One data directory, one plane.
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { StoreFailure } from '../../src/store/store.ts';
import { committed, put, storeFile } from '../support/store.ts';
import { startTestPlane } from '../support/test-plane.ts';

describe('two on one data directory', () => {
  it('the second store is refused with words, and the first goes on', async () => {
    const file = storeFile();
    const first = file.open();
    expect(() => file.open()).toThrow(StoreFailure);
    expect(() => file.open()).toThrow(/another plane is running and uses .*plane\.db/);
    await committed(first, [put('a')]);
    await first.close();
    const second = file.open();
    expect(second.get('things', 'a')).toBeDefined();
    await second.close();
  });

  it('a second plane does not start, and the first still serves', async () => {
    const plane = await startTestPlane();
    await expect(startTestPlane({ dataDir: plane.dataDir })).rejects.toThrow(/another plane/);
    expect((await plane.api.call('GET', '/api/v1/namespaces/default')).status).toBe(200);
    await plane.stop();
  });

  it('a file that is no database is said to be none', () => {
    expect(() => storeFile('/dev/null/nowhere').open()).toThrow(/cannot open \/dev\/null\/nowhere/);
    const file = storeFile();
    writeFileSync(file.path, 'this is no database, whatever its name says'.repeat(100));
    expect(() => file.open()).toThrow(/cannot open .*plane\.db: file is not a database/);
  });
});
