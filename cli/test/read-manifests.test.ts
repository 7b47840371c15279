// What a manifest file holds: read as kubectl reads it, and refused with the document and field that is wrong.
import { describe, expect, it } from 'vitest';
import { parseManifests } from '../src/plan/read-manifests.ts';

const parse = (text: string) => parseManifests('a.yaml', text);
const OBJECT = 'apiVersion: v1\nkind: A\n';

describe('manifests', () => {
  it.each<[string, string, readonly unknown[]]>([
    ['one document', OBJECT, [{ apiVersion: 'v1', kind: 'A' }]],
    ['JSON', '{"apiVersion": "v1", "kind": "A"}', [{ apiVersion: 'v1', kind: 'A' }]],
    [
      'many, and empty ones between',
      `---\n---\n# nothing\n---\n${OBJECT}---\n${OBJECT}`,
      [
        { apiVersion: 'v1', kind: 'A' },
        { apiVersion: 'v1', kind: 'A' },
      ],
    ],
    [
      'a List',
      'apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: B}]',
      [{ apiVersion: 'v1', kind: 'B' }],
    ],
    ['octal numbers', `${OBJECT}mode: 0644`, [{ apiVersion: 'v1', kind: 'A', mode: 0o644 }]],
    ['octal numbers as of today', `${OBJECT}mode: 0o644`, [{ apiVersion: 'v1', kind: 'A', mode: 0o644 }]],
    ['yes and no', `${OBJECT}sure: yes`, [{ apiVersion: 'v1', kind: 'A', sure: true }]],
    ['ports, which are no times', `${OBJECT}port: 22:22`, [{ apiVersion: 'v1', kind: 'A', port: '22:22' }]],
    [
      'days, which are texts',
      `${OBJECT}day: 2026-01-02`,
      [{ apiVersion: 'v1', kind: 'A', day: '2026-01-02' }],
    ],
    [
      'anchors and merged keys',
      `${OBJECT}a: &a {x: 1}\nb: {<<: *a, z: 2}`,
      [{ apiVersion: 'v1', kind: 'A', a: { x: 1 }, b: { x: 1, z: 2 } }],
    ],
  ])('%s', (_what, text, expected) => expect(parse(text)).toEqual(expected));

  it.each<[string, string]>([
    ['', 'a.yaml holds no object'],
    ['# nothing', 'a.yaml holds no object'],
    ['text', 'a.yaml, document 1: is no object'],
    [`${OBJECT}---\n- 1`, 'a.yaml, document 2: is no object'],
    ['kind: A', 'a.yaml, document 1: apiVersion: Required value: must be a text'],
    ['apiVersion: v1\nkind: 7', 'a.yaml, document 1: kind: Required value: must be a text'],
    [`${OBJECT}metadata: []`, 'a.yaml, document 1: metadata: must be an object'],
    [`${OBJECT}metadata: {name: 7}`, 'a.yaml, document 1: metadata.name: must be a text, is 7'],
    ['apiVersion: v1\nkind: List\nitems: 1', 'a.yaml, document 1: items: must be a list'],
    [
      'apiVersion: v1\nkind: List\nitems: [{kind: A}]',
      'a.yaml, document 1, item 1: apiVersion: Required value: must be a text',
    ],
    ['a: *b', 'a.yaml, document 1: Unresolved alias'],
    ['a: 1\na: 2', 'a.yaml, document 1: Map keys must be unique at line 2, column 1'],
  ])('%j is refused', (text, message) => expect(() => parse(text)).toThrow(message));
});
