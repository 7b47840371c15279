// What the plane has to say about a body is never much longer than somebody reads, or a client can take.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(() => plane.stop());

const fields = (count: number, letter = 'u') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${letter}${index}`, '']));

describe('of a body with many mistakes', () => {
  it('the first unknown fields are refused by name', async () => {
    const body = { metadata: { name: 'a' }, ...fields(50_000) };
    const { status, json } = await plane.api.call('POST', `${MAPS}?fieldValidation=Strict`, body);
    expect([status, json.message.match(/unknown field/g)?.length]).toEqual([400, 100]);
  });

  it('the first wrong types are told', async () => {
    const body = { metadata: { name: 'a', finalizers: Array(50_000).fill(1) } };
    const { status, json } = await plane.api.call('POST', MAPS, body);
    expect([status, json.message.match(/expected a string/g)?.length]).toEqual([400, 100]);
  });

  it('the first invalid values are told, and how many more there are', async () => {
    const body = { metadata: { name: 'a', labels: fields(5000, '!') } };
    const { status, json } = await plane.api.call('POST', MAPS, body);
    expect([status, json.details.causes.length]).toEqual([422, 100]);
    expect(json.message).toMatch(/, and 4900 more\]$/);
  });

  it('warnings fit into the headers that any client reads', async () => {
    const warned = async (extra: object) => {
      const body = { metadata: { name: 'a' }, ...extra };
      const { status, headers } = await plane.api.call('POST', `${MAPS}?dryRun=All`, body);
      expect(status).toBe(201);
      return String(headers.warning).match(/299 - "(\\.|[^"\\])*"/g) ?? [];
    };
    expect(await warned(fields(90))).toHaveLength(90);
    const long = 'x'.repeat(1000);
    const few = await warned({ [long]: '' });
    expect(few[0]).toContain(long);
    const many = await warned(Object.fromEntries(Array.from({ length: 90 }, (_, n) => [`${n}${long}`, ''])));
    expect(many).toHaveLength(16);
    expect(many[0]).toMatch(/^299 - "unknown field \\"0x{200}/);
  });
});
