// Which entry of a docker config opens the registry of an image, as kubelet decides it.
import { describe, expect, it } from 'vitest';
import { type DockerConfig, dockerConfig, pullCredentials } from '../../src/runtime/pull-credentials.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const config = (...registries: readonly string[]): DockerConfig =>
  Object.fromEntries(registries.map((name) => [name, { username: name, password: 'p' }]));
const found = (image: string, ...configs: readonly DockerConfig[]) =>
  pullCredentials(image, configs).map(({ username }) => username);

describe('the entries for an image', () => {
  it.each<readonly [image: string, registries: readonly string[], wanted: readonly string[]]>([
    ['example.org/web:1', ['example.org'], ['example.org']],
    ['example.org/web@sha256:0', ['https://example.org/v1/'], ['https://example.org/v1/']],
    ['example.org/web', ['http://example.org'], ['http://example.org']],
    ['example.org/web', ['other.org'], []],
    ['example.org:5000/web', ['example.org'], []],
    ['example.org/web', ['example.org:5000'], []],
    ['example.org:5000/web:2', ['example.org:5000'], ['example.org:5000']],
    ['a.example.org/web', ['*.example.org'], ['*.example.org']],
    ['a.b.example.org/web', ['*.example.org'], []],
    ['example.org/web', ['*.example.org'], []],
    ['reg-7.example.org/web', ['reg-*.example.org'], ['reg-*.example.org']],
    ['exampleXorg/web', ['example.org'], []],
    ['example.org/team/web', ['example.org/team', 'example.org'], ['example.org/team', 'example.org']],
    ['example.org/team/web', ['example.org', 'example.org/team'], ['example.org/team', 'example.org']],
    ['example.org/other/web', ['example.org/team', 'example.org'], ['example.org']],
    // What has no registry of its own comes from the default one.
    ['nginx', ['https://index.docker.io/v1/'], ['https://index.docker.io/v1/']],
    ['someone/nginx:1', ['index.docker.io'], ['index.docker.io']],
    ['docker.io/library/nginx', ['https://index.docker.io/v1/'], ['https://index.docker.io/v1/']],
    ['example.org/nginx', ['index.docker.io'], []],
    ['localhost/nginx', ['index.docker.io'], []],
    ['host:5000/nginx', ['index.docker.io'], []],
  ])('%s of %j', (image, registries, wanted) => {
    expect(found(image, config(...registries))).toEqual(wanted);
  });

  it('of several secrets are all tried', () => {
    const [one, two] = [config('example.org'), { 'example.org': { username: 'two', password: 'q' } }];
    expect(found('example.org/web', one, two)).toEqual(['example.org', 'two']);
  });
});

describe('a docker config', () => {
  const auths = { 'example.org': { auth: base64('ann:a:b') } };
  const json = (value: unknown) => base64(JSON.stringify(value));

  it.each([
    ['of today', { '.dockerconfigjson': json({ auths }) }],
    ['of old', { '.dockercfg': json(auths) }],
  ])('%s is read', (_what, data) => {
    const read = dockerConfig({ data });
    expect(read && pullCredentials('example.org/web', [read])).toEqual([
      { username: 'ann', password: 'a:b' },
    ]);
  });

  it('may hold a token instead of a password', () => {
    const token = { 'example.org': { username: 'ann', password: '', identitytoken: 't' } };
    expect(pullCredentials('example.org/web', [token])).toEqual([
      { username: 'ann', password: '', identityToken: 't' },
    ]);
  });

  it.each([
    ['no such key', { password: base64('x') }],
    ['no JSON', { '.dockerconfigjson': base64('{') }],
    ['no object', { '.dockerconfigjson': json([1]) }],
    ['no auths', { '.dockerconfigjson': json({}) }],
  ])('with %s is none', (_what, data) => {
    expect(dockerConfig({ data })).toBeUndefined();
  });

  it('with entries of other shapes opens nothing', () => {
    const wrong = { a: null, b: 'x', c: { username: 1, password: 'p' }, d: { auth: base64('nocolon') } };
    expect(pullCredentials('a/x', [wrong as unknown as DockerConfig])).toEqual([]);
    expect(pullCredentials('d/x', [wrong as unknown as DockerConfig])).toEqual([]);
  });
});
