// Rules of Kubernetes' API that few notice until they are missing.
import { SAFE_LETTERS } from '@fleetset/scheduler-core/template-hash';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEffects } from '../../src/api/kind-effects.ts';
import { createObjects } from '../../src/api/objects.ts';
import { configMapKind } from '../../src/kinds/plain-kinds.ts';
import { type Json, MERGE } from '../support/api-client.ts';
import { joinMember } from '../support/hollow-member.ts';
import { configMap, daemonSet, NODES, SETS } from '../support/manifests.ts';
import { facts, nodeStatus, placement } from '../support/reports.ts';
import { committed, storeFile } from '../support/store.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const CLASSES = '/apis/scheduling.k8s.io/v1/priorityclasses';
let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(() => plane.stop());

describe('a field that is set twice', () => {
  const TWICE = '{"metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';

  it('is refused where validation is strict', async () => {
    const { status, json } = await plane.api.call('POST', `${MAPS}?fieldValidation=Strict`, TWICE);
    expect([status, json.message]).toEqual([
      400,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.a"',
    ]);
  });

  it('is warned of otherwise, and the last one counts, also in a patch', async () => {
    const made = await plane.api.call('POST', MAPS, TWICE);
    expect([made.status, made.headers.warning, made.json.data]).toEqual([
      201,
      '299 - "duplicate field \\"data.a\\""',
      { a: '2' },
    ]);
    const patch = '{"data":{"b":"1","b":"2"}}';
    const patched = await plane.api.call('PATCH', `${MAPS}/twice`, patch, { type: MERGE });
    expect([patched.headers.warning, patched.json.data]).toEqual([
      '299 - "duplicate field \\"data.b\\""',
      { a: '2', b: '2' },
    ]);
    const ignored = await plane.api.call('PATCH', `${MAPS}/twice?fieldValidation=Ignore`, patch, {
      type: MERGE,
    });
    expect([ignored.status, ignored.headers.warning]).toEqual([200, undefined]);
  });
});

describe('a key that YAML has twice', () => {
  const YAML = { type: 'application/yaml' };
  const twice = (name: string) => `metadata:\n  name: ${name}\n  name: ${name}\ndata:\n  a: "1"\n  a: "2"\n`;
  const WARNING = '299 - "duplicate field \\"metadata.name\\"", 299 - "duplicate field \\"data.a\\""';

  it('is refused where validation is strict, as in JSON', async () => {
    const { status, json } = await plane.api.call(
      'POST',
      `${MAPS}?fieldValidation=Strict`,
      twice('strict'),
      YAML,
    );
    expect([status, json.message]).toEqual([
      400,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "metadata.name", duplicate field "data.a"',
    ]);
  });

  it('is warned of otherwise, and the last one counts, also in what is applied on the server', async () => {
    const made = await plane.api.call('POST', MAPS, twice('yaml-twice'), YAML);
    expect([made.status, made.headers.warning, made.json.data]).toEqual([201, WARNING, { a: '2' }]);
    const config = `apiVersion: v1\nkind: ConfigMap\n${twice('applied-twice')}`;
    const apply = (query: string) =>
      plane.api.call('PATCH', `${MAPS}/applied-twice?fieldManager=me${query}`, config, {
        type: 'application/apply-patch+yaml',
      });
    const applied = await apply('');
    expect([applied.status, applied.headers.warning, applied.json.data]).toEqual([201, WARNING, { a: '2' }]);
    expect((await apply('&fieldValidation=Strict')).status).toBe(400);
    const ignored = await apply('&fieldValidation=Ignore');
    expect([ignored.status, ignored.headers.warning]).toEqual([200, undefined]);
  });
});

describe('a watch by its old path', () => {
  it.each([
    ['of all namespaces', '/api/v1/watch/configmaps'],
    ['of one namespace', '/api/v1/watch/namespaces/default/configmaps'],
    ['of one object', '/api/v1/watch/namespaces/default/configmaps/old-path'],
  ])('%s', async (_, path) => {
    const watch = await plane.api.watch(path);
    await plane.api.call('POST', MAPS, configMap('old-path'));
    const event = await watch.next('it', ({ object }) => object.metadata.name === 'old-path');
    expect([watch.status, event.type]).toEqual([200, 'ADDED']);
    if (path.endsWith('old-path')) expect(watch.events).toHaveLength(1);
    watch.close();
  });

  it('of another group, and of what is not there', async () => {
    const watch = await plane.api.watch('/apis/apps/v1/watch/daemonsets');
    expect(watch.status).toBe(200);
    watch.close();
    expect((await plane.api.call('GET', '/api/v1/watch/nothing')).status).toBe(404);
    expect((await plane.api.call('GET', '/api/v1/watch')).status).toBe(404);
  });
});

describe('a name that the plane chooses', () => {
  const make = async (letters: string) => {
    const picks = [...letters].flatMap((letter) => Array<number>(5).fill(SAFE_LETTERS.indexOf(letter)));
    const store = storeFile().open();
    const namespace = { metadata: { name: 'default' }, status: { phase: 'Active' } };
    await committed(store, [
      { collection: 'core/namespaces', id: 'default', value: namespace, durable: true },
      {
        collection: 'core/configmaps',
        id: 'default/web-bbbbb',
        value: { metadata: { name: 'web-bbbbb' } },
        durable: true,
      },
    ]);
    const objects = createObjects(
      store,
      createEffects(store, ''),
      () => '',
      () => picks.shift() ?? 0,
    );
    const options = { dryRun: false, fieldValidation: 'Strict' } as const;
    const made = objects.create(configMapKind, 'default', { metadata: { generateName: 'web-' } }, options);
    return made.finally(() => store.close());
  };

  it('and that is taken is chosen anew', async () => {
    expect((await make('bbc')).object.metadata.name).toBe('web-ccccc');
  });

  it('is given up after eight', async () => {
    await expect(make('')).rejects.toMatchObject({ code: 409, reason: 'AlreadyExists' });
  });
});

describe('a generation', () => {
  it.each([7, -7])('that a client brings along (%s) is not taken', async (generation) => {
    const metadata = { name: `generation-of-${generation}`, generation };
    const map = await plane.api.ok('POST', MAPS, { metadata });
    const made = await plane.api.ok('POST', CLASSES, { metadata, value: 1 });
    expect([map.metadata.generation, made.metadata.generation]).toEqual([undefined, 1]);
    const path = `${MAPS}/${metadata.name}`;
    expect((await plane.api.ok('PUT', path, { metadata })).metadata.generation).toBeUndefined();
    await plane.api.ok('DELETE', `${CLASSES}/${metadata.name}`);
  });
});

describe('the PriorityClasses of the system', () => {
  it('are there, and come back with the next start', async () => {
    const { items } = await plane.api.ok('GET', CLASSES);
    expect(items.map(({ metadata, value }: Json) => [metadata.name, value])).toEqual([
      ['system-cluster-critical', 2_000_000_000],
      ['system-node-critical', 2_000_001_000],
    ]);
    await plane.api.ok('DELETE', `${CLASSES}/system-node-critical`);
    await plane.restart();
    expect((await plane.api.call('GET', `${CLASSES}/system-node-critical`)).status).toBe(200);
  });
});

describe('a PriorityClass for pods that name none', () => {
  it('is one at most', async () => {
    const priority = (name: string, globalDefault: boolean) => ({
      metadata: { name },
      value: 1,
      globalDefault,
    });
    await plane.api.ok('POST', CLASSES, priority('first', true));
    await plane.api.ok('POST', CLASSES, priority('second', false));
    const message =
      'priorityclasses.scheduling.k8s.io "second" is forbidden: PriorityClass first is already marked as default. Only one default can exist';
    const changed = await plane.api.call('PUT', `${CLASSES}/second`, priority('second', true));
    expect([changed.status, changed.json.message]).toEqual([403, message]);
    await plane.api.ok('PUT', `${CLASSES}/first`, { ...priority('first', true), description: 'still' });
    const third = await plane.api.call('POST', CLASSES, priority('third', true));
    expect([third.status, third.json.details]).toEqual([
      403,
      { name: 'third', group: 'scheduling.k8s.io', kind: 'priorityclasses' },
    ]);
    await plane.api.ok('DELETE', `${CLASSES}/first`);
    expect((await plane.api.ok('PUT', `${CLASSES}/second`, priority('second', true))).globalDefault).toBe(
      true,
    );
    await plane.api.ok('DELETE', `${CLASSES}/second`);
  });
});

describe('what others write into a status', () => {
  const strange = {
    type: 'KernelDeadlock',
    status: 'False',
    reason: 'KernelHasNoDeadlock',
    lastHeartbeatTime: '2026-01-01T00:00:00Z',
  };
  const typesOf = ({ status }: Json) => status.conditions.map(({ type }: Json) => type);

  it('of a node stays when its agent reports, and stays as it was when it falls silent', async () => {
    const member = await joinMember(plane);
    const ready = (status: string) => nodeStatus({ conditions: [{ type: 'Ready', status }] });
    member.report({ facts: facts(member.name, { status: ready('True') }) });
    const node = `${NODES}/${member.name}`;
    await until('it is ready', async () => typesOf(await plane.api.ok('GET', node)).includes('Ready'));
    const patch = { status: { conditions: [strange] } };
    await plane.api.ok('PATCH', `${node}/status`, patch, { type: 'application/strategic-merge-patch+json' });
    member.report({ facts: facts(member.name, { status: ready('False') }) });
    const after = await until('it is heard', async () => {
      const now = await plane.api.ok('GET', node);
      return (
        now.status.conditions.find(({ type, status }: Json) => type === 'Ready' && status === 'False') && now
      );
    });
    expect(after.status.conditions).toContainEqual(strange);
    member.leave();
  });

  it('of a DaemonSet stays when the plane writes its own', async () => {
    const set = await plane.api.ok('POST', SETS, daemonSet('noted'));
    const patch = { status: { conditions: [{ type: 'Approved', status: 'True' }] } };
    await plane.api.ok('PATCH', `${SETS}/noted/status`, patch, {
      type: 'application/strategic-merge-patch+json',
    });
    const member = await joinMember(plane);
    member.report({ placements: [placement(set, 'Run')] });
    const after = await until('it is counted', async () => {
      const now = await plane.api.ok('GET', `${SETS}/noted`);
      return now.status.desiredNumberScheduled > 0 && now.status.conditions?.length > 1 && now;
    });
    expect(typesOf(after)).toEqual(expect.arrayContaining(['Approved', 'Progressing']));
    member.leave();
  });
});
