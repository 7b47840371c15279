// Proves what applying a manifest makes of an object: three sides meet, the manifest, the one applied before it, and
// what is there. kubectl's client-side apply is the model.
import { applyManifest } from '@fleetset/scheduler-core/patch/apply-manifest';
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { describe, expect, test } from 'vitest';

type Json = { readonly [key: string]: unknown };
const withTemplate = (spec: Json, metadata: Json = {}): Json => ({ spec: { template: { metadata, spec } } });
const main = (more: Json): Json => withTemplate({ containers: [{ name: 'main', ...more }] });
const env = (...names: string[]): Json => main({ env: names.map((name) => ({ name, value: name })) });

describe('applying a manifest', () => {
  test.each<[string, Json, Json | undefined, Json, Json]>([
    [
      'sets what it says',
      main({ image: 'a:2' }),
      main({ image: 'a:1' }),
      main({ image: 'a:1' }),
      main({ image: 'a:2' }),
    ],
    [
      'keeps what others set',
      main({ image: 'a:2' }),
      main({ image: 'a:1' }),
      main({ image: 'a:1', imagePullPolicy: 'Always' }),
      main({ image: 'a:2', imagePullPolicy: 'Always' }),
    ],
    [
      'keeps the annotation by which somebody restarted it',
      withTemplate({}, { labels: { app: 'a' } }),
      withTemplate({}, { labels: { app: 'a' } }),
      withTemplate({}, { labels: { app: 'a' }, annotations: { restartedAt: 'noon' } }),
      withTemplate({}, { labels: { app: 'a' }, annotations: { restartedAt: 'noon' } }),
    ],
    [
      'drops a field that it no longer says',
      withTemplate({}),
      withTemplate({ nodeSelector: { disk: 'ssd' } }),
      withTemplate({ nodeSelector: { disk: 'ssd' }, dnsPolicy: 'Default' }),
      withTemplate({ dnsPolicy: 'Default' }),
    ],
    [
      'drops one label of many',
      withTemplate({ nodeSelector: { a: '1' } }),
      withTemplate({ nodeSelector: { a: '1', b: '2' } }),
      withTemplate({ nodeSelector: { a: '1', b: '2', c: '3' } }),
      withTemplate({ nodeSelector: { a: '1', c: '3' } }),
    ],
    ['drops an item that it no longer says', env('A'), env('A', 'B'), env('A', 'B'), env('A')],
    ['keeps an item that another added', env('A'), env('A'), env('A', 'X'), env('A', 'X')],
    ['changes the order of items', env('B', 'A'), env('A', 'B'), env('A', 'B'), env('B', 'A')],
    [
      'replaces a list without keys as a whole',
      main({ args: ['x'] }),
      main({ args: ['x', 'y'] }),
      main({ args: ['x', 'y', 'z'] }),
      main({ args: ['x'] }),
    ],
    [
      'drops a finalizer that it no longer says, and no other',
      { metadata: { finalizers: ['a/a'] } },
      { metadata: { finalizers: ['a/a', 'b/b'] } },
      { metadata: { finalizers: ['a/a', 'b/b', 'c/c'] } },
      { metadata: { finalizers: ['a/a', 'c/c'] } },
    ],
    [
      'drops nothing that nobody applied',
      main({}),
      undefined,
      main({ image: 'a:1' }),
      main({ image: 'a:1' }),
    ],
  ])('%s', (_what, manifest, lastApplied, current, expected) =>
    expect(applyManifest(daemonSet, current, manifest, lastApplied)).toEqual({ value: expected }),
  );

  test('says what is wrong with a list whose items have no key', () =>
    expect(applyManifest(daemonSet, env('A'), main({ env: [{ value: 'x' }] }), env('A'))).toEqual({
      problem: 'map: {"value":"x"} does not contain declared merge key: name',
    }));
});
