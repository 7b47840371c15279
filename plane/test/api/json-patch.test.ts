// A JSON patch reaches what the object has, and nothing that all objects share.
import { describe, expect, it } from 'vitest';
import { patchFunction } from '../../src/api/patch.ts';
import { configMapKind } from '../../src/kinds/plain-kinds.ts';

const CURRENT = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', resourceVersion: '1', finalizers: ['x', 'y'] },
  data: { link: 'one' },
};
const patch = (...operations: object[]) =>
  patchFunction(configMapKind, 'application/json-patch+json', operations)(CURRENT);

describe('a JSON patch', () => {
  // The bug this found: the plane's own Function.prototype.call could be overwritten by any client.
  it.each([
    '/toString/call',
    '/constructor/prototype/polluted',
    '/__proto__/polluted',
    '/__proto__',
    '/metadata/name/link',
    '/metadata/finalizers/push',
    '/metadata/finalizers/push/call',
    '/data/missing/key',
  ])('to %s is refused, and nothing is written anywhere', (path) => {
    const call = Function.prototype.call;
    for (const op of ['add', 'replace', 'test'])
      expect(() => patch({ op, path, value: 1 })).toThrow(/Value at .* does not exist/);
    expect(() => patch({ op: 'copy', from: path, path: '/data/copy' })).toThrow(/does not exist/);
    expect(Function.prototype.call).toBe(call);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('copies no more than fits into a body, however it is put together', () => {
    const doublings = Array.from({ length: 40 }, (_, index) => ({
      op: 'copy',
      from: '/data',
      path: `/data/x${index}`,
    }));
    expect(() => patch(...doublings)).toThrow(/copies of more than 3145728 bytes/);
    expect(patch(...doublings.slice(0, 2))).toMatchObject({
      data: { x0: { link: 'one' }, x1: { link: 'one', x0: { link: 'one' } } },
    });
  });

  it('of more operations than Kubernetes takes is refused', () => {
    const add = { op: 'add', path: '/metadata/finalizers/0', value: 'a' };
    expect(() => patch(...Array(10_001).fill(add))).toThrow(
      'The allowed maximum operations in a JSON patch is 10000, got 10001',
    );
  });

  it('that is odd in other ways is refused', () => {
    expect(() => patch({ op: 'copy', from: 1, path: '/data/copy' })).toThrow(
      /due to an error in our request/,
    );
  });

  it('uses what the operations before it made, list items and escaped names', () => {
    const after = patch(
      { op: 'add', path: '/metadata/labels', value: {} },
      { op: 'add', path: '/metadata/labels/a~1b', value: 'c' },
      { op: 'add', path: '/metadata/finalizers/-', value: 'z' },
      { op: 'remove', path: '/metadata/finalizers/0' },
      { op: 'replace', path: '/data/link', value: 'two' },
      { op: 'copy', from: '/data/link', path: '/data/toString' },
    );
    expect(after).toMatchObject({
      metadata: { labels: { 'a/b': 'c' }, finalizers: ['y', 'z'] },
      data: { link: 'two', toString: 'two' },
    });
  });
});
