// Proves that manifests as people write them are understood: no field unknown, and nothing a default spoils.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import { validateDaemonSet } from '@fleetset/scheduler-core/validation/daemon-set';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { edited, readDaemonSet } from '../manifest.ts';

const ROOT = join(import.meta.dirname, '../../..');
const inFolder = (folder: string) => globSync('*.yaml', { cwd: folder }).map((file) => join(folder, file));
const SHARED = join(ROOT, '../shared/manifests');
const daemonSetsIn = (folder: string) =>
  inFolder(folder).flatMap((path) =>
    // As kubectl reads them: 0644 is octal.
    parseAllDocuments(readFileSync(path, 'utf8'), { version: '1.1' })
      .map((document) => ({ name: basename(path), json: document.toJS() as { kind?: string } | null }))
      .filter(({ json }) => json?.kind === 'DaemonSet'),
  );

const understood = (json: unknown) => {
  expect(decode(daemonSet, json)).toMatchObject({ unknown: [], errors: [] });
  // kubectl adds the namespace.
  expect(validateDaemonSet(readDaemonSet(edited(json, [['metadata.namespace', 'default']])))).toEqual([]);
};

describe('our own examples', () => {
  const examples = daemonSetsIn(join(ROOT, 'examples'));
  test('are there', () => {
    expect(examples.length).toBeGreaterThan(0);
  });
  test.each(examples)('$name', ({ json }) => understood(json));
});

describe.skipIf(!existsSync(SHARED))('manifests from guides (skipped where ../shared is absent)', () => {
  const manifests = existsSync(SHARED) ? daemonSetsIn(SHARED) : [];
  test.each(manifests)('$name', ({ json }) => understood(json));
});
