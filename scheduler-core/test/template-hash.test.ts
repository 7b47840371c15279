// Proves the controller-revision-hash: one per template, in letters that spell nothing, new after a collision.
import { SAFE_LETTERS, templateHash } from '@fleetset/scheduler-core/template-hash';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds } from './property.ts';

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'web:1' }] },
};

test('the order of keys means nothing', () => {
  const other = {
    spec: { containers: [{ image: 'web:1', name: 'main' }] },
    metadata: { labels: { app: 'web' } },
  };
  expect(templateHash(other)).toBe(templateHash(template));
});

test('rule 55: any change of the template makes another, its labels and annotations too', () => {
  const changed = [
    template,
    { ...template, spec: { containers: [{ name: 'main', image: 'web:2' }] } },
    { ...template, metadata: { labels: { app: 'web', a: 'b' } } },
    {
      ...template,
      metadata: { ...template.metadata, annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } },
    },
    { ...template, spec: { ...template.spec, hostNetwork: true } },
    { ...template, metadata: { labels: { app: 'wéb' } } },
    { ...template, metadata: { labels: { app: 'w€b' } } },
  ];
  expect(new Set(changed.map((one) => templateHash(one))).size).toBe(changed.length);
});

test('rule 53: each collision makes another', () => {
  const hashes = [0, 1, 2, 3].map((collisions) => templateHash(template, collisions));
  expect(new Set(hashes).size).toBe(4);
  expect(hashes[0]).toBe(templateHash(template));
});

test('rule 50: it is made of safe letters and fits a label and a name', () => {
  holds(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (image, collisions) => {
      const hash = templateHash({ spec: { containers: [{ name: 'a', image }] } }, collisions);
      expect(hash).toMatch(new RegExp(`^[${SAFE_LETTERS}]{1,10}$`));
      expect(hash).not.toMatch(/[aeiou013]/);
    }),
    300,
  );
});
