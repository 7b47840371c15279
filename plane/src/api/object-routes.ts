// Requests about one object or a part of it: get, update, patch, apply, deletion, subresources.
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import { noteAsked } from '../audit/audited-bodies.ts';
import { collectionOf, idOf, type KubeObject } from '../kinds/kind.ts';
import { methodNotAllowed, notFoundPath } from './api-error.ts';
import { contentTypeOf, readBody, readJson, readObject, readOptionalObject, readYaml } from './body.ts';
import { requireReached } from './list.ts';
import type { Removed } from './object-options.ts';
import { patchFunction } from './patch.ts';
import { requireName } from './prepare-object.ts';
import { type Call, findOne, optionsOf, requireVerb, sendOne, sendWritten } from './resource-call.ts';
import { sendObject } from './respond.ts';
import { applyOptions, deleteOptions, requireNoForce } from './write-options.ts';

export async function serveOne(call: Call, name: string): Promise<void> {
  const { kind, request } = call;
  switch (request.method) {
    case 'GET':
      return getOne(call, name);
    case 'PUT':
      return replaceOne(call, name);
    case 'PATCH':
      return patchOne(call, name);
    case 'DELETE':
      return deleteOne(call, name);
    default:
      throw methodNotAllowed(`${request.method} is not allowed on ${kind.plural}`);
  }
}

async function getOne(call: Call, name: string): Promise<void> {
  requireVerb(call.kind, 'get');
  requireReached(call.parts.store, call.query);
  await call.parts.refresh.get(call.kind)?.();
  sendOne(call, 200, findOne(call, name));
}

async function replaceOne(call: Call, name: string): Promise<void> {
  const { parts, kind, path, request } = call;
  if (!path.subresource) requireVerb(kind, 'update');
  const body = await readObject(request);
  const isThere = () => parts.store.get(collectionOf(kind), idOf(path.namespace, name)) !== undefined;
  if (kind.putMakes && !path.subresource && isNew(body) && !isThere()) return makeOne(call, name, body);
  const written = await parts.objects.update(kind, path.namespace, name, () => body, optionsOf(call));
  sendWritten(call, 200, written);
}

/** Who names a version or a uid speaks of an object that was there. */
const isNew = (body: unknown): body is Partial<KubeObject> => {
  const { metadata = {} } = isRecord(body) ? body : {};
  return isRecord(body) && isRecord(metadata) && !metadata.uid && !metadata.resourceVersion;
};

/** Who makes an object by it must be allowed to create one: admitWrite sees to that. */
async function makeOne(call: Call, name: string, body: Partial<KubeObject>): Promise<void> {
  const { parts, kind, path } = call;
  requireName(body.metadata?.name, name);
  sendWritten(call, 201, await parts.objects.create(kind, path.namespace, body, optionsOf(call)));
}

async function patchOne(call: Call, name: string): Promise<void> {
  const { parts, kind, path, query, request } = call;
  if (!path.subresource) requireVerb(kind, 'patch');
  const type = contentTypeOf(request);
  const text = await readBody(request);
  if (type === APPLY_TYPE) return applyOne(call, name, noteAsked(request, readYaml(request, text)));
  requireNoForce(query, request);
  const patch = type.endsWith('+json') ? noteAsked(request, readJson(request, text)) : text;
  const change = patchFunction(kind, type, patch);
  const written = await parts.objects.update(kind, path.namespace, name, change, optionsOf(call));
  sendWritten(call, 200, written);
}

const APPLY_TYPE = 'application/apply-patch+yaml';

/** Who makes an object by it must be allowed to create one: admitWrite sees to that. */
async function applyOne(call: Call, name: string, config: unknown): Promise<void> {
  const { parts, kind, path, query, request } = call;
  const options = { ...optionsOf(call), ...applyOptions(query, request) };
  const isThere = parts.store.get(collectionOf(kind), idOf(path.namespace, name)) !== undefined;
  if (!isThere && !path.subresource) requireVerb(kind, 'create');
  const written = await parts.objects.apply(kind, path.namespace, name, config, options);
  sendWritten(call, written.created ? 201 : 200, written);
}

async function deleteOne(call: Call, name: string): Promise<void> {
  const { parts, kind, path, query, request } = call;
  requireVerb(kind, 'delete');
  const options = deleteOptions(query, await readOptionalObject(request));
  sendRemoved(call, await parts.objects.remove(kind, path.namespace, name, options));
}

/** What is gone is told as a Status, what lives on as the object. */
function sendRemoved({ kind, response }: Call, { object, gone }: Removed): void {
  if (!gone) return sendObject(response, 200, object);
  const { name, uid } = object.metadata;
  const details = { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural, uid };
  sendObject(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

export async function serveSubresource(call: Call): Promise<void> {
  const { parts, kind, path, user, query, request, response, upgrade } = call;
  const { subresource = '', name = '' } = path;
  const served = kind.subresources?.find((candidate) => candidate.name === subresource);
  if (!served) throw notFoundPath();
  const verb = verbOfSubresource(request.method);
  if (!served.verbs.includes(verb))
    throw methodNotAllowed(`${request.method} is not allowed on ${kind.plural}/${subresource}`);
  const serve = parts.subresources.get(`${request.method} ${kind.plural}/${subresource}`);
  if (serve) {
    const signal = parts.signal;
    return serve({ object: findOne(call, name), user, request, response, query, signal, upgrade });
  }
  if (subresource === 'status') {
    if (request.method === 'GET') return getOne(call, name);
    if (request.method === 'PUT') return replaceOne(call, name);
    if (request.method === 'PATCH') return patchOne(call, name);
  }
  if (subresource === 'finalize') return replaceOne(call, name);
  throw methodNotAllowed(`${request.method} is not allowed on ${kind.plural}/${subresource}`);
}

function verbOfSubresource(method: string | undefined): string {
  if (method === 'GET') return 'get';
  if (method === 'PUT') return 'update';
  return method === 'PATCH' ? 'patch' : 'create';
}
