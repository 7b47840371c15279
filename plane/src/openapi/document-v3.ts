// /openapi/v3: an index of groups, and one OpenAPI 3.0 document for each.
import { createHash } from 'node:crypto';
import { apiVersionOf, type Kind } from '../kinds/kind.ts';
import { definitionsOf } from './definitions.ts';
import { type DescribedOperation, pathsOf } from './paths.ts';

/** Documents by their path, as "apis/apps/v1". */
export function openApiV3(kinds: readonly Kind[], version: string): ReadonlyMap<string, string> {
  const groups = [...new Set(kinds.map(({ group }) => group))];
  return new Map(
    groups.map((group) => {
      const members = kinds.filter((kind) => kind.group === group);
      const key = group === '' ? 'api/v1' : `apis/${apiVersionOf({ group })}`;
      return [key, JSON.stringify(groupDocument(members, version))];
    }),
  );
}

export function openApiV3Index(documents: ReadonlyMap<string, string>): object {
  const paths = [...documents].map(([key, text]) => [
    key,
    { serverRelativeURL: `/openapi/v3/${key}?hash=${hashOf(text)}` },
  ]);
  return { paths: Object.fromEntries(paths) };
}

export const hashOf = (document: string | Uint8Array): string =>
  createHash('sha256').update(document).digest('hex').slice(0, 32).toUpperCase();

function groupDocument(kinds: readonly Kind[], version: string): object {
  const paths = kinds.flatMap(pathsOf).map(({ path, pathParameters, operations }) => [
    path,
    {
      parameters: pathParameters.map((name) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string', uniqueItems: true },
      })),
      ...Object.fromEntries(operations.map((operation) => [operation.method, operationV3(operation)])),
    },
  ]);
  return {
    openapi: '3.0.0',
    info: { title: 'fleetset', version },
    paths: Object.fromEntries(paths),
    components: { schemas: definitionsOf(kinds, '#/components/schemas/') },
  };
}

const operationV3 = ({ method, id, action, gvk, query, consumes }: DescribedOperation): object => ({
  operationId: id,
  parameters: query.map((name) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } })),
  ...(method === 'get' || method === 'delete'
    ? {}
    : {
        requestBody: {
          required: true,
          content: Object.fromEntries(consumes.map((type) => [type, { schema: { type: 'object' } }])),
        },
      }),
  responses: { 200: { description: 'OK' }, 401: { description: 'Unauthorized' } },
  'x-kubernetes-action': action,
  'x-kubernetes-group-version-kind': gvk,
});
