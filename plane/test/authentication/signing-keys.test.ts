// Another key signs: what the older ones signed is good until they are removed, whoever is killed in between.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readToken, signToken } from '../../src/authentication/json-web-token.ts';
import { addTokenKey, openTokenKeys, removeRetiredKey, retiredKeys } from '../../src/identity/token-keys.ts';
import { holderOf } from '../support/people.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const PROCESS = fileURLToPath(new URL('../support/rotating-process.ts', import.meta.url));
const AT = '2030-01-02T03:04:05Z';

describe('the keys in a directory', () => {
  it('are one that signs and those before it, by the time they stopped', () => {
    const directory = tempDir();
    const [first] = openTokenKeys(directory).all();
    const second = addTokenKey(directory, AT);
    const third = addTokenKey(directory, '2031-01-02T03:04:05Z');
    const keys = openTokenKeys(directory);
    expect(keys.all()[0].id).toBe(third);
    expect(retiredKeys(directory)).toEqual([
      { id: first.id, retiredAt: AT },
      { id: second, retiredAt: '2031-01-02T03:04:05Z' },
    ]);
    removeRetiredKey(directory, first.id);
    const before = keys.all();
    keys.readAgain();
    expect(keys.all().map(({ id }) => id)).toEqual([third, second]);
    expect(keys.all()).not.toBe(before);
    const now = keys.all();
    keys.readAgain();
    expect(keys.all()).toBe(now);
  });

  it('lose nothing when who changes them is killed at any step', async () => {
    const directory = tempDir();
    openTokenKeys(directory);
    const tokens: string[] = [];
    for (const step of [0, 1, 2, 3]) {
      const child = spawn(process.execPath, [PROCESS, directory, String(step)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.on('data', (text: Buffer) => {
        said += text;
      });
      expect(await new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)))).toBe(
        'SIGKILL',
      );
      tokens.push(said);
      const keys = openTokenKeys(directory).all();
      expect(tokens.map((token) => readToken(keys, token))).toEqual(tokens.map(() => ({ sub: 'me' })));
    }
  });

  it('are named when one cannot be read, and those that were read before count', () => {
    const directory = tempDir();
    addTokenKey(directory, AT);
    addTokenKey(directory, AT);
    const keys = openTokenKeys(directory);
    const all = keys.all();
    const path = join(directory, `sa-${all[1]?.id}.pub`);
    writeFileSync(path, 'nonsense');
    expect(() => keys.readAgain()).toThrow(`${path} is no EC P-256 public key in PEM`);
    expect(keys.all()).toBe(all);
  });
});

describe('a plane whose signing key is changed while it runs', () => {
  let plane: TestPlane;
  beforeAll(async () => {
    plane = await startTestPlane();
  });
  afterAll(() => plane.stop());
  const pki = () => join(plane.dataDir, 'pki');
  const newToken = async (): Promise<string> =>
    (await plane.api.ok('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', {})).status.token;
  const isGood = async (token: string) => {
    const holder = holderOf(plane, token);
    const { status } = await holder.call('GET', '/version');
    holder.close();
    return status === 200;
  };
  const published = async (): Promise<string[]> =>
    (await plane.api.ok('GET', '/openid/v1/jwks')).keys.map(({ kid }: { kid: string }) => kid);

  it('signs with the new one, publishes both, and takes the tokens of both', async () => {
    const old = await newToken();
    const [before = ''] = await published();
    const added = addTokenKey(pki(), AT);
    await until('both are published', async () => (await published()).length === 2);
    expect(await published()).toEqual([added, before]);
    const fresh = await newToken();
    expect(JSON.parse(Buffer.from(fresh.split('.')[0] ?? '', 'base64url').toString()).kid).toBe(added);
    expect([await isGood(old), await isGood(fresh)]).toEqual([true, true]);
    await plane.restart();
    expect([await isGood(old), await isGood(fresh)]).toEqual([true, true]);
    expect(await isGood(signToken(openTokenKeys(tempDir()).all()[0], { sub: 'x' }))).toBe(false);
    removeRetiredKey(pki(), before);
    await until('what it signed is void', async () => !(await isGood(old)));
    expect([await isGood(fresh), await published()]).toEqual([true, [added]]);
  });
});
