// Who did what, as the audit log of a real plane tells it: requests over HTTPS, lines in a file.
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { type AuditLines, auditLines } from '../support/audit-lines.ts';
import { configMap, SETS } from '../support/manifests.ts';
import { actingAs, holderOf, nobody } from '../support/people.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const SECRETS = '/api/v1/namespaces/default/secrets';
const NO_LIMITS = { maxSize: 0, maxAge: 0, maxBackups: 0 };

interface Audited {
  readonly plane: TestPlane;
  readonly lines: AuditLines;
  readonly path: string;
}

async function startAudited(policy?: Json): Promise<Audited> {
  const folder = tempDir();
  const path = join(folder, 'audit.log');
  const policyFile = join(folder, 'policy.yaml');
  if (policy)
    writeFileSync(policyFile, JSON.stringify({ ...policy, apiVersion: 'audit.k8s.io/v1', kind: 'Policy' }));
  const audit = { path, ...NO_LIMITS, ...(policy ? { policyFile } : {}) };
  return { plane: await startTestPlane({ audit }), lines: auditLines(path), path };
}

describe('without a policy', () => {
  let audited: Audited;
  beforeAll(async () => {
    audited = await startAudited();
  });
  afterAll(() => audited.plane.stop());

  it('each request is one line that says who, what, and how it ended', async () => {
    const { plane, lines, path } = audited;
    const headers = { 'User-Agent': 'kubectl/v1.33.1', 'X-Forwarded-For': '192.0.2.7' };
    const reply = await plane.api.call('POST', MAPS, configMap('one'), { headers });
    const event = await lines.next('the creation', ({ verb }) => verb === 'create');
    expect(event).toEqual({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: reply.headers['audit-id'],
      stage: 'ResponseComplete',
      requestURI: MAPS,
      verb: 'create',
      user: { username: 'fleetset-admin', groups: ['system:masters', 'system:authenticated'] },
      sourceIPs: ['192.0.2.7', '127.0.0.1'],
      userAgent: 'kubectl/v1.33.1',
      objectRef: {
        resource: 'configmaps',
        namespace: 'default',
        name: 'one',
        uid: reply.json.metadata.uid,
        apiVersion: 'v1',
      },
      responseStatus: { metadata: {}, code: 201 },
      requestReceivedTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      stageTimestamp: expect.any(String),
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('who acts as another is told with both names, and why he may or may not', async () => {
    const { plane, lines } = audited;
    const jane = actingAs(plane, 'jane', 'dev');
    await jane.call('DELETE', `${MAPS}/one`);
    const event = await lines.next('the refusal', ({ impersonatedUser }) => impersonatedUser);
    expect(event).toMatchObject({
      verb: 'delete',
      user: { username: 'fleetset-admin' },
      impersonatedUser: { username: 'jane', groups: ['dev', 'system:authenticated'] },
      objectRef: { resource: 'configmaps', namespace: 'default', name: 'one', apiVersion: 'v1' },
      responseStatus: {
        metadata: {},
        status: 'Failure',
        reason: 'Forbidden',
        code: 403,
        message: expect.stringContaining('User "jane" cannot delete'),
      },
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    });
  });

  it('a token that is not good is told, and not shown', async () => {
    const { plane, lines, path } = audited;
    const stranger = holderOf(plane, 'not-a-good-token');
    await stranger.call('GET', SECRETS);
    stranger.close();
    const event = await lines.next('the refusal', ({ responseStatus }) => responseStatus?.code === 401);
    expect(event).toMatchObject({ verb: 'list', user: {}, objectRef: { resource: 'secrets' } });
    expect(JSON.stringify(auditLines(path).all())).not.toContain('not-a-good-token');
  });

  it('a name that the plane chose is in the line', async () => {
    const { plane, lines } = audited;
    const { metadata } = await plane.api.ok('POST', MAPS, { metadata: { generateName: 'made-' } });
    const event = await lines.next('it', ({ objectRef }) => objectRef?.name?.startsWith('made-'));
    expect(event.objectRef.name).toBe(metadata.name);
  });

  it('a watch is told when it begins, and when it ends', async () => {
    const { plane, lines } = audited;
    const watch = await plane.api.watch(`${MAPS}?watch=true&labelSelector=a%3Db`);
    const started = await lines.next('its beginning', ({ stage }) => stage === 'ResponseStarted');
    expect(started).toMatchObject({ verb: 'watch', responseStatus: { code: 200 } });
    watch.close();
    const ended = await lines.next(
      'its end',
      ({ auditID, stage }) => stage === 'ResponseComplete' && auditID === started.auditID,
    );
    expect(Date.parse(ended.stageTimestamp)).toBeGreaterThanOrEqual(Date.parse(started.stageTimestamp));
  });

  it('questions about health, versions and schemas are not kept', async () => {
    const { plane, lines } = audited;
    const anybody = nobody(plane);
    for (const path of ['/healthz', '/version', '/api', '/apis/apps/v1', '/openapi/v3'])
      await anybody.call('GET', path);
    anybody.close();
    await plane.api.ok('GET', SETS);
    await lines.next('the list', ({ objectRef }) => objectRef?.resource === 'daemonsets');
    expect(lines.all().filter(({ objectRef }) => !objectRef)).toEqual([]);
  });

  it('what is written and what is lost is counted', async () => {
    const { text } = await audited.plane.api.call('GET', '/metrics');
    expect(text).toMatch(/^apiserver_audit_event_total [1-9]/m);
    expect(text).toMatch(/^apiserver_audit_error_total{plugin="log"} 0$/m);
    expect(text).toMatch(/^apiserver_request_total{method="POST",code="201"} [1-9]/m);
  });

  it('the Audit-Id of the client is taken, cut to 64 letters', async () => {
    const { plane, lines } = audited;
    const headers = { 'Audit-ID': 'x'.repeat(70) };
    await plane.api.call('GET', `${MAPS}/none`, undefined, { headers });
    const event = await lines.next('it', ({ auditID }) => auditID.startsWith('xx'));
    expect(event.auditID).toBe('x'.repeat(64));
  });
});

describe('secrets', () => {
  // A secret whose content shows wherever the body is written down.
  const content = Buffer.from('very secret').toString('base64');

  it('are never in the log at level Metadata, whatever is done with them', async () => {
    const { plane, lines, path } = await startAudited({ rules: [{ level: 'Metadata' }] });
    await plane.api.ok('POST', SECRETS, { metadata: { name: 's' }, data: { key: content } });
    await plane.api.ok('PATCH', `${SECRETS}/s`, { data: { more: content } }, { type: MERGE });
    await plane.api.ok('GET', SECRETS);
    await plane.api.ok('DELETE', `${SECRETS}/s`);
    await lines.next('the end', ({ verb, stage }) => verb === 'delete' && stage === 'ResponseComplete');
    expect(JSON.stringify(auditLines(path).all())).not.toContain(content);
    await plane.stop();
  });

  it('and no token is at any level', async () => {
    const { plane, lines, path } = await startAudited({ rules: [{ level: 'RequestResponse' }] });
    const token = (
      await plane.api.ok('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', {
        spec: { audiences: ['vault'] },
      })
    ).status.token;
    await plane.api.ok('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      spec: { token, audiences: ['vault'] },
      stray: { token },
    });
    const review = await lines.next(
      'the review',
      ({ objectRef, stage }) => objectRef?.resource === 'tokenreviews' && stage === 'ResponseComplete',
    );
    expect(review.requestObject.spec).toEqual({ audiences: ['vault'] });
    expect(review.responseObject.status).toMatchObject({ authenticated: true });
    const made = await lines.next(
      'the token',
      ({ objectRef, stage }) => objectRef?.subresource === 'token' && stage === 'ResponseComplete',
    );
    expect(made.requestObject.spec).toEqual({ audiences: ['vault'] });
    expect(made.responseObject.status).toEqual({ expirationTimestamp: expect.any(String) });
    expect(JSON.stringify(auditLines(path).all())).not.toContain(token);
    await plane.stop();
  });
});

describe('a policy', () => {
  it('decides by its first rule that matches how much is kept, and at which stages', async () => {
    const { plane, lines } = await startAudited({
      omitStages: ['RequestReceived'],
      omitManagedFields: true,
      rules: [
        { level: 'None', resources: [{ group: '', resources: ['secrets'] }] },
        { level: 'Request', verbs: ['create'], resources: [{ group: '', resources: ['configmaps'] }] },
        { level: 'RequestResponse', verbs: ['patch'], namespaces: ['default'] },
        { level: 'Metadata', omitStages: ['ResponseComplete'] },
      ],
    });
    await plane.api.ok('POST', SECRETS, { metadata: { name: 's' } });
    await plane.api.ok('POST', MAPS, configMap('a'));
    await plane.api.ok('PATCH', `${MAPS}/a`, { data: { b: 'c' } }, { type: MERGE });
    await plane.api.ok('GET', `${MAPS}/a`);
    const patched = await lines.next('the patch', ({ verb }) => verb === 'patch');
    expect(patched.requestObject).toEqual({ data: { b: 'c' } });
    expect(patched.responseObject.data).toEqual({ key: 'value', b: 'c' });
    expect(patched.responseObject.metadata.managedFields).toBeUndefined();
    expect(lines.all().map(({ level, verb, stage }) => `${level} ${verb} ${stage}`)).toEqual([
      'Request create ResponseComplete',
      'RequestResponse patch ResponseComplete',
    ]);
    const [created] = lines.all();
    expect([created.requestObject.data, created.responseObject]).toEqual([{ key: 'value' }, undefined]);
    await plane.stop();
  });
});
