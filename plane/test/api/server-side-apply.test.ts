// Server-side apply over HTTPS (contract b.8): created by apply, conflicts, force, dry run, no-op, ownership by every
// other write, what clients may do to managedFields, and the way from client-side apply.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APPLY, JSON_PATCH, type Json, MERGE, STRATEGIC } from '../support/api-client.ts';
import { configMap, daemonSet, SETS } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const MAPS = '/api/v1/namespaces/default/configmaps';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
let count = 0;
const fresh = () => `o${++count}`;

const typeOf = (path: string) => ({
  apiVersion: 'v1',
  kind: path.includes('/secrets/') ? 'Secret' : 'ConfigMap',
});
const apply = (path: string, manager: string, body: Json, query = '') =>
  plane.api.call(
    'PATCH',
    `${path}?fieldManager=${manager}${query}`,
    typeof body === 'string' ? body : { ...typeOf(path), ...body },
    { type: APPLY },
  );
const applied = async (path: string, manager: string, body: Json, query = ''): Promise<Json> => {
  const reply = await apply(path, manager, body, query);
  if (reply.status >= 300) throw new Error(reply.text);
  return reply.json;
};
const ownersOf = ({ metadata }: Json): Json =>
  Object.fromEntries(
    (metadata.managedFields ?? []).map(({ manager, operation, fieldsV1 }: Json) => [
      `${manager} ${operation}`,
      fieldsV1,
    ]),
  );
const data = (...keys: string[]): Json => ({
  'f:data': Object.fromEntries(keys.map((key) => [`f:${key}`, {}])),
});

describe('server-side apply', () => {
  it('makes what is not there, and says 201; again, and nothing changes', async () => {
    const path = `${MAPS}/${fresh()}`;
    const first = await apply(path, 'a', { apiVersion: 'v1', kind: 'ConfigMap', data: { x: '1' } });
    expect(first.status).toBe(201);
    expect(ownersOf(first.json)).toEqual({ 'a Apply': data('x') });
    const again = await apply(path, 'a', { data: { x: '1' } });
    expect(again.status).toBe(200);
    expect(again.json).toEqual(first.json);
  });

  it('takes YAML', async () => {
    const made = await applied(
      `${MAPS}/${fresh()}`,
      'a',
      'apiVersion: v1\nkind: ConfigMap\ndata:\n  x: "1"\n  # a remark\n  y: |\n    two\n    lines\n',
    );
    expect(made.data).toEqual({ x: '1', y: 'two\nlines\n' });
  });

  it('conflicts with who owns another value, in words that kubectl takes apart', async () => {
    const path = `${MAPS}/${fresh()}`;
    await applied(path, 'alpha', { data: { x: '1', y: '1' } });
    const one = await apply(path, 'beta', { data: { x: '2' } });
    expect(one.json).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "alpha": .data.x',
      details: {
        causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "alpha"', field: '.data.x' }],
      },
    });
    const two = await apply(path, 'beta', { data: { x: '2', y: '2' } });
    expect(two.json.message).toBe(
      'Apply failed with 2 conflicts: conflicts with "alpha":\n- .data.x\n- .data.y',
    );
    expect(ownersOf(await plane.api.ok('GET', path))).toEqual({ 'alpha Apply': data('x', 'y') });
    const forced = await applied(path, 'beta', { data: { x: '2' } }, '&force=true');
    expect(forced.data).toEqual({ x: '2', y: '1' });
    expect(ownersOf(forced)).toEqual({ 'alpha Apply': data('y'), 'beta Apply': data('x') });
  });

  it('drops what it applied before and applies no more, and keeps what others own', async () => {
    const path = `${MAPS}/${fresh()}`;
    await applied(path, 'a', { data: { x: '1', y: '1', z: '1' } });
    await applied(path, 'b', { data: { y: '1' } });
    await plane.api.ok('PATCH', `${path}?fieldManager=c`, { data: { z: '2' } }, { type: MERGE });
    expect((await applied(path, 'a', { data: {} })).data).toEqual({ y: '1', z: '2' });
    expect(ownersOf(await plane.api.ok('GET', path))).toMatchObject({
      'b Apply': data('y'),
      'c Update': data('z'),
    });
  });

  it('tells a dry run what would be, and does nothing', async () => {
    const path = `${MAPS}/${fresh()}`;
    expect((await apply(path, 'a', { data: { x: '1' } }, '&dryRun=All')).status).toBe(201);
    expect((await plane.api.call('GET', path)).status).toBe(404);
    const before = await applied(path, 'a', { data: { x: '1' } });
    expect((await applied(path, 'a', { data: { x: '2' } }, '&dryRun=All')).data).toEqual({ x: '2' });
    expect(await plane.api.ok('GET', path)).toEqual(before);
  });

  it('honours a version in the configuration', async () => {
    const path = `${MAPS}/${fresh()}`;
    const { metadata } = await applied(path, 'a', { data: { x: '1' } });
    await applied(path, 'a', { data: { x: '2' } });
    const { resourceVersion } = metadata;
    expect((await apply(path, 'a', { metadata: { resourceVersion }, data: { x: '3' } })).status).toBe(409);
  });

  it('is refused for another name, namespace, uid or kind than that of the path', async () => {
    const path = `${MAPS}/${fresh()}`;
    await applied(path, 'a', { data: { x: '1' } });
    for (const [body, code] of [
      [{ metadata: { name: 'other' } }, 400],
      [{ metadata: { namespace: 'other' } }, 400],
      [{ metadata: { uid: 'other' } }, 409],
      [{ kind: 'Secret' }, 400],
    ] as const)
      expect((await apply(path, 'a', body)).status).toBe(code);
  });

  it('keeps texts of a Secret as the data they become, and drops them again', async () => {
    const path = `/api/v1/namespaces/default/secrets/${fresh()}`;
    const made = await applied(path, 'a', { stringData: { x: 'one', y: 'two' } });
    expect(made.data).toEqual({ x: 'b25l', y: 'dHdv' });
    expect((await applied(path, 'a', { stringData: { x: 'one' } })).data).toEqual({ x: 'b25l' });
  });

  it('of many at once makes the object once, and each owns its part', async () => {
    const path = `${MAPS}/${fresh()}`;
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const codes = await Promise.all(
      names.map(async (name) => (await apply(path, name, { data: { [name]: '1' } })).status),
    );
    expect(codes.sort()).toEqual([200, 200, 200, 200, 200, 201]);
    const object = await plane.api.ok('GET', path);
    expect(Object.keys(object.data).sort()).toEqual(names);
    expect(object.metadata.managedFields).toHaveLength(names.length);
  });

  it('counts a generation for a change of the spec only', async () => {
    const name = fresh();
    const set = daemonSet(name);
    const generation = async (body: Json) =>
      (await applied(`${SETS}/${name}`, 'a', body)).metadata.generation;
    expect(await generation(set)).toBe(1);
    expect(await generation({ ...set, metadata: { name, labels: { a: 'b' } } })).toBe(1);
    expect(await generation({ ...set, spec: { ...set.spec, minReadySeconds: 3 } })).toBe(2);
    expect(await generation(set)).toBe(3);
    await plane.api.ok('DELETE', `${SETS}/${name}`);
  });
});

describe('every other write', () => {
  it('owns what it changes, by its fieldManager or else its program', async () => {
    const name = fresh();
    const path = `${MAPS}/${name}`;
    await plane.api.ok('POST', `${MAPS}?fieldManager=maker`, configMap(name, { x: '1', y: '1' }));
    await plane.api.ok(
      'PATCH',
      `${path}?fieldManager=kubectl-edit`,
      { data: { y: '2' } },
      { type: STRATEGIC },
    );
    const object = await plane.api.ok('GET', path);
    await plane.api.ok(
      'PUT',
      path,
      { ...object, data: { ...object.data, z: '1' } },
      {
        headers: { 'User-Agent': 'reader/1.2 (linux)' },
      },
    );
    expect(ownersOf(await plane.api.ok('GET', path))).toEqual({
      'maker Update': data('x'),
      'kubectl-edit Update': data('y'),
      'reader Update': data('z'),
    });
  });

  it('that changes nothing owns nothing and is no write', async () => {
    const name = fresh();
    const path = `${MAPS}/${name}`;
    await plane.api.ok('POST', `${MAPS}?fieldManager=maker`, configMap(name, { x: '1' }));
    const before = await plane.api.ok('GET', path);
    await plane.api.ok('PATCH', `${path}?fieldManager=other`, { data: { x: '1' } }, { type: MERGE });
    await plane.api.ok('PUT', `${path}?fieldManager=third`, configMap(name, { x: '1' }));
    expect(await plane.api.ok('GET', path)).toEqual(before);
  });

  it('by one who knows nothing of managed fields leaves them alone', async () => {
    const path = `${MAPS}/${fresh()}`;
    const made = await applied(path, 'a', { data: { x: '1' } });
    await plane.api.ok('PUT', path, { metadata: { name: path.split('/').at(-1) }, data: { x: '1' } });
    await plane.api.ok('PATCH', path, { metadata: { managedFields: null } }, { type: MERGE });
    await plane.api.ok('PATCH', path, { metadata: { managedFields: [] } }, { type: MERGE });
    expect(await plane.api.ok('GET', path)).toEqual(made);
  });

  it('may rewrite them, and one empty entry forgets them', async () => {
    const path = `${MAPS}/${fresh()}`;
    await applied(path, 'a', { data: { x: '1' } });
    const mine = {
      manager: 'b',
      operation: 'Apply',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: data('x'),
    };
    const replace = (value: Json) => [{ op: 'replace', path: '/metadata/managedFields', value }];
    const rewritten = await plane.api.ok('PATCH', path, replace([mine]), { type: JSON_PATCH });
    expect(ownersOf(rewritten)).toEqual({ 'b Apply': data('x') });
    const forgotten = await plane.api.ok('PATCH', path, replace([{}]), { type: JSON_PATCH });
    expect(forgotten.metadata).not.toHaveProperty('managedFields');
  });

  it('by the plane itself (status, deletion) takes nothing from anybody', async () => {
    const name = fresh();
    const set = daemonSet(name, { metadata: { finalizers: ['example.com/x'] } });
    await applied(`${SETS}/${name}`, 'a', set);
    const before = await plane.api.ok('GET', `${SETS}/${name}`);
    await plane.api.ok('DELETE', `${SETS}/${name}`);
    const deleted = await plane.api.ok('GET', `${SETS}/${name}`);
    expect(deleted.metadata.deletionTimestamp).toBeDefined();
    expect(ownersOf(deleted)).toEqual(ownersOf(before));
    await plane.api.ok('PATCH', `${SETS}/${name}`, { metadata: { finalizers: null } }, { type: MERGE });
  });
});

describe('from client-side apply', () => {
  const clientSide = (name: string, values: Json): Json => {
    const manifest = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default' },
      data: values,
    };
    return configMap(name, values, { annotations: { [LAST_APPLIED]: JSON.stringify(manifest) } });
  };

  it('kubectl goes on with what it applied itself, and with nothing that was changed since', async () => {
    const name = fresh();
    const path = `${MAPS}/${name}`;
    await plane.api.ok(
      'POST',
      `${MAPS}?fieldManager=kubectl-client-side-apply`,
      clientSide(name, { x: '1', y: '1' }),
    );
    expect((await apply(path, 'somebody', { data: { x: '2' } })).status).toBe(409);
    expect((await applied(path, 'kubectl', { data: { x: '2', y: '1' } })).data).toEqual({ x: '2', y: '1' });
    await plane.api.ok(
      'PATCH',
      `${path}?fieldManager=kubectl-edit`,
      { data: { y: 'edited' } },
      { type: MERGE },
    );
    const refused = await apply(path, 'kubectl', { data: { x: '2', y: '3' } });
    expect(refused.json.message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .data.y',
    );
  });

  it('the annotation says what was applied last, so that the way back is open', async () => {
    const name = fresh();
    const path = `${MAPS}/${name}`;
    await plane.api.ok(
      'POST',
      `${MAPS}?fieldManager=kubectl-client-side-apply`,
      clientSide(name, { x: '1' }),
    );
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { x: '2' } };
    const { metadata } = await applied(path, 'kubectl', config);
    expect(JSON.parse(metadata.annotations[LAST_APPLIED])).toEqual(config);
  });
});
