// What a request asks leave for, read from its method, path and query exactly as the routes read them.
import { type FieldTerm, parseFieldSelector } from '@fleetset/scheduler-core/field-selector';
import type { Access } from '@fleetset/scheduler-core/rbac/attributes';
import { flagParameter, parseAnyResourcePath } from '../api/request.ts';

const VERBS: { readonly [method: string]: string } = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

export function accessOf(method: string, { pathname, searchParams }: URL): Access {
  const path = parseAnyResourcePath(pathname);
  if (!path) return { verb: method.toLowerCase(), path: pathname };
  const { group, plural, subresource } = path;
  const verb = VERBS[method] ?? '';
  const fields = path.name === undefined && verb === 'get' ? selectedFields(searchParams) : [];
  // A list or watch of one by its name is leave enough for rules with names.
  const name = path.name ?? fields.find(({ field, equal }) => field === 'metadata.name' && equal)?.value;
  // A namespace is in itself: a Role in it may be about it.
  const namespace = plural === 'namespaces' ? path.name : path.namespace;
  return {
    verb: path.name === undefined ? collectionVerb(verb, searchParams) : verb,
    group,
    resource: plural,
    ...(subresource ? { subresource } : {}),
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
    ...(fields.length > 0 ? { fields } : {}),
  };
}

function collectionVerb(verb: string, query: URLSearchParams): string {
  if (verb === 'get') return flagParameter(query, 'watch') ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

function selectedFields(query: URLSearchParams): FieldTerm[] {
  const terms = parseFieldSelector(query.get('fieldSelector') ?? '');
  return typeof terms === 'string' ? [] : terms;
}
