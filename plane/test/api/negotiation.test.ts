// In what form answers are written: by the client's Accept header, as in Kubernetes.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { negotiate } from '../../src/api/negotiate.ts';
import { yamlText } from '../../src/api/yaml-text.ts';
import { type Json, TABLE } from '../support/api-client.ts';
import { runs } from '../support/fixed-seed.ts';
import { configMap } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const YAML = 'application/yaml';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const AS_METADATA = ';as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(() => plane.stop());

const get = (path: string, accept: string) =>
  plane.api.call('GET', path, undefined, { headers: { Accept: accept } });

describe('what a client takes', () => {
  it.each([
    ['nothing said', undefined, 'application/json', 'object'],
    ['anything', '*/*', 'application/json', 'object'],
    ['a browser', BROWSER, 'application/json', 'object'],
    ['any application', 'application/*', 'application/json', 'object'],
    ['YAML', YAML, YAML, 'object'],
    ['YAML before JSON', `${YAML}, application/json`, YAML, 'object'],
    ['YAML less than JSON', `${YAML};q=0.5, application/json`, 'application/json', 'object'],
    ['YAML, or else anything', `*/*, ${YAML}`, YAML, 'object'],
    ['a table in YAML', `${YAML};as=Table;g=meta.k8s.io;v=v1`, YAML, 'table'],
    ['a table as kubectl asks for it', TABLE, 'application/json', 'table'],
    [
      'a table of no known version',
      'application/json;as=Table;g=meta.k8s.io;v=v9, */*',
      'application/json',
      'object',
    ],
    ['protobuf before JSON', `${PROTOBUF}, application/json`, 'application/json', 'object'],
    ['metadata in protobuf, or anything', `${PROTOBUF}${AS_METADATA}, */*`, 'application/json', 'partial'],
    ['protobuf alone', PROTOBUF, 'application/json', 'object'],
  ])('%s', (_, accept, type, form) => {
    expect(negotiate(accept)).toEqual({ type, form });
  });

  it.each(['text/plain', 'image/png', 'text/html, text/*', 'application/json;as=Pod;g=meta.k8s.io;v=v1'])(
    '%s is nothing that there is',
    async (accept) => {
      expect(negotiate(accept)).toBeUndefined();
      const { status, headers, json } = await get(MAPS, accept);
      expect([status, headers['content-type'], json.reason, json.message]).toEqual([
        406,
        'application/json',
        'NotAcceptable',
        'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
      ]);
    },
  );
});

describe('YAML', () => {
  const data = { switch: 'on', time: '1:30', octal: '012', lines: 'a\n  b\n', stamp: '2026-01-01' };

  it('is what one object is written in, with keys in order, and read the same by older parsers', async () => {
    const made = await plane.api.ok('POST', MAPS, { ...configMap('written'), data });
    const { headers, text } = await get(`${MAPS}/written`, YAML);
    expect(headers['content-type']).toBe(YAML);
    expect(parse(text, { version: '1.1' })).toEqual(made);
    expect(text).toMatch(/^apiVersion: v1\ndata:\n {2}lines: \|\n/);
    expect(text).toContain(`creationTimestamp: "${made.metadata.creationTimestamp}"`);
  });

  // What these found: lines of spaces were read as empty ones, and parsers of YAML 1.1 stumbled over tabs and =.
  it('says any text so that parsers of both versions read it as it was', () => {
    const letter = fc.constantFrom(...' \n\r\t:#-"\'|>&*!%@`{[,?~=<.1an\u0085\u2028\ufeff\u0000😀');
    fc.assert(
      fc.property(fc.array(letter, { maxLength: 8 }), (letters) => {
        const object = { data: { text: letters.join('') }, args: [letters.join('')] };
        const text = yamlText(object);
        expect([parse(text), parse(text, { version: '1.1' })]).toEqual([object, object]);
      }),
      runs(1000),
    );
  });

  it.each([
    ['lines of spaces', ' \n \n', '" \\n \\n"'],
    ['a tab', 'a\tb', '"a\\tb"'],
    ['nothing but =', '=', '"="'],
    ['an end of line of YAML 1.1', 'a\u0085b\u2028c', '"a\\u0085b\\u2028c"'],
  ])('quotes %s', (_, value, quoted) => {
    expect(yamlText({ a: value }).replaceAll('\\ ', ' ')).toBe(`a: ${quoted}\n`);
  });

  it('is what lists of any length are written in', async () => {
    const list = async () => {
      const { headers, text } = await get(`${MAPS}?labelSelector=many`, YAML);
      expect([headers['content-type'], text.split('\n')[0]]).toEqual([YAML, 'apiVersion: v1']);
      return parse(text);
    };
    expect(await list()).toMatchObject({ kind: 'ConfigMapList', items: [] });
    for (let count = 1; count <= 12; count++)
      await plane.api.ok('POST', MAPS, {
        ...configMap(`many-${count}`),
        metadata: { name: `many-${count}`, labels: { many: 'y' } },
      });
    const inJson = await plane.api.ok('GET', `${MAPS}?labelSelector=many`);
    expect(inJson.items).toHaveLength(12);
    expect(await list()).toEqual(inJson);
    const table = parse(
      (await get(`${MAPS}?labelSelector=many`, `${YAML};as=Table;g=meta.k8s.io;v=v1`)).text,
    );
    expect([table.kind, table.rows.length]).toEqual(['Table', 12]);
  });

  it('is what errors, answers to writes and discovery are written in', async () => {
    const missing = await get(`${MAPS}/nobody`, YAML);
    expect([missing.status, parse(missing.text)]).toMatchObject([
      404,
      { kind: 'Status', reason: 'NotFound' },
    ]);
    const headers = { Accept: YAML };
    const made = await plane.api.call('POST', MAPS, configMap('made'), { headers });
    expect([made.status, parse(made.text).metadata.name]).toEqual([201, 'made']);
    const gone = await plane.api.call('DELETE', `${MAPS}/made`, undefined, { headers });
    expect(parse(gone.text)).toMatchObject({ kind: 'Status', status: 'Success' });
    const { resources } = parse((await get('/api/v1', YAML)).text);
    expect(resources.map(({ name }: Json) => name)).toContain('pods');
  });

  it('has no frames for a watch', async () => {
    const { status, json } = await get(`${MAPS}?watch=true`, `${YAML}, application/json;q=0.9`);
    expect(status).toBe(406);
    expect(json).toBeUndefined();
    const { text } = await get(`${MAPS}?watch=true`, YAML);
    expect(parse(text)).toMatchObject({
      reason: 'NotAcceptable',
      message:
        'only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
    });
  });
});
