// One request about stored objects, which its user may make: which verb it is, and what serves it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import { annotate, noteAnswered, noteAsked } from '../audit/audited-bodies.ts';
import type { User } from '../authentication/user.ts';
import { admitWrite } from '../authorization/admit-write.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import { apiVersionOf, collectionOf, idOf, type Kind, type KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';
import { protocolsOffered, type Upgrade } from '../streams/upgrade.ts';
import { messagesTo } from '../streams/watch-over-websocket.ts';
import { acceptWebSocket, requireWebSocket } from '../streams/websocket.ts';
import { ApiError, methodNotAllowed, notFoundObject, notFoundPath, notServed } from './api-error.ts';
import { contentTypeOf, parseYaml, readBody, readJson, readObject, readOptionalObject } from './body.ts';
import { formatOne, listPage, requireReached, shapeOf, storedObjects } from './list.ts';
import { requireListOptions } from './list-options.ts';
import type { Objects, Removed, WriteOptions, Written } from './objects.ts';
import { patchFunction } from './patch.ts';
import { decodeObject } from './prepare-object.ts';
import { flagParameter, type ReplyForm, type RequestPath, replyForm } from './request.ts';
import type { RequestLimits } from './request-limits.ts';
import { sendJson, setWarnings } from './respond.ts';
import type { Review } from './reviews.ts';
import { readSelection } from './selection.ts';
import { listChunks, SLICE, sendChunks } from './send-list.ts';
import { linesOf, serveWatch } from './watch.ts';
import { applyOptions, deleteOptions, requireNoForce, writeOptions } from './write-options.ts';

/** Objects that are made when they are asked for, and never written by a client. */
export type VirtualObjects = (namespace: string | undefined) => VirtualCollection;

export interface VirtualCollection extends Iterable<KubeObject> {
  /** Makes only this one. */
  readonly find: (name: string) => KubeObject | undefined;
}

export type ServedSubresource = (call: SubresourceCall) => Promise<void> | void;

export interface SubresourceCall {
  readonly object: KubeObject;
  readonly user: User;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
  /** The client asks for another protocol on this connection. */
  readonly upgrade: Upgrade | undefined;
}

export interface ResourceParts {
  readonly store: Store;
  readonly objects: Objects;
  readonly findKind: (group: string, plural: string) => Kind | undefined;
  readonly virtual: ReadonlyMap<Kind, VirtualObjects>;
  /** What has to be asked for before objects of a kind can be made. */
  readonly refresh: ReadonlyMap<Kind, () => Promise<void>>;
  /** By "METHOD plural/subresource". */
  readonly subresources: ReadonlyMap<string, ServedSubresource>;
  /** Questions that are created, answered, and never kept. */
  readonly reviews: ReadonlyMap<Kind, Review>;
  readonly authorizer: Authorizer;
  readonly limits: RequestLimits;
  /** Aborts when the plane stops. */
  readonly signal: AbortSignal;
}

interface Call {
  readonly parts: ResourceParts;
  readonly kind: Kind;
  readonly path: RequestPath;
  readonly user: User;
  readonly query: URLSearchParams;
  readonly form: ReplyForm;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgrade: Upgrade | undefined;
  /** Aborts when the answer is of use to nobody any more. */
  readonly signal: AbortSignal;
}

export async function serveResource(
  parts: ResourceParts,
  path: RequestPath,
  query: URLSearchParams,
  user: User,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  upgrade?: Upgrade,
): Promise<void> {
  const kind = parts.findKind(path.group, path.plural);
  if (!kind || (path.namespace && !kind.namespaced)) throw notFoundPath();
  const form = replyForm(request.headers.accept);
  const call: Call = { parts, kind, path, user, query, form, request, response, upgrade, signal };
  if (path.name && kind.namespaced && !path.namespace) throw notFoundPath();
  if (path.subresource) return serveSubresource(call);
  if (path.name) return serveOne(call, path.name);
  return serveMany(call);
}

async function serveMany(call: Call): Promise<void> {
  const { kind, path, request, query } = call;
  if (kind.namespaced && !path.namespace && request.method !== 'GET') throw notServed();
  switch (request.method) {
    case 'GET':
      return flagParameter(query, 'watch') ? watchMany(call) : listMany(call);
    case 'POST':
      return createOne(call);
    case 'DELETE':
      return deleteMany(call);
    default:
      throw methodNotAllowed(`${request.method} is not allowed on ${kind.plural}`);
  }
}

async function listMany(call: Call): Promise<void> {
  const { parts, kind, path, user, query, form, request, response, signal } = call;
  requireVerb(kind, 'list');
  const selection = readSelection(kind, path.namespace, query);
  requireListOptions(query, false);
  await parts.refresh.get(kind)?.();
  const turn = () => parts.limits.turns.take(user.name);
  const page = await listPage(parts.store, objectsOf(call), selection, query, turn);
  const shape = shapeOf(kind, page.metadata, form, query, Date.now());
  const { head, field, shown } = shape;
  if (page.items.length <= SLICE) return sendJson(response, 200, { ...head, [field]: page.items.map(shown) });
  noteAnswered(request, { ...head, [field]: page.items });
  await sendChunks(response, listChunks(page.items, shape, turn), signal);
}

function objectsOf({ parts, kind, path, query }: Call): Iterable<KubeObject> {
  return parts.virtual.get(kind)?.(path.namespace) ?? storedObjects(parts.store, kind, query);
}

function watchMany(call: Call): Promise<void> {
  const { parts, kind, path, query, form, request, response, upgrade } = call;
  requireVerb(kind, 'watch');
  requireListOptions(query, true);
  requireReached(parts.store, query);
  const selection = readSelection(kind, path.namespace, query);
  if (upgrade) requireWebSocket(request);
  const open = () => (upgrade ? watchMessages(request, upgrade) : linesOf(response));
  return serveWatch({ store: parts.store, kind, selection, query, form, open, signal: parts.signal });
}

/** Of the subprotocols that are left one is as good as another: the client must be answered with one that it named. */
const watchMessages = (request: IncomingMessage, upgrade: Upgrade): Writable =>
  messagesTo(acceptWebSocket(request, upgrade, protocolsOffered(request.headers, 'websocket')[0]));

async function createOne(call: Call): Promise<void> {
  const { parts, kind, path, request } = call;
  requireVerb(kind, 'create');
  const body = await readObject(request);
  const review = parts.reviews.get(kind);
  if (review) return answerReview(call, review, body);
  const written = await parts.objects.create(kind, path.namespace, body, optionsOf(call));
  sendWritten(call, 201, written);
}

/** An older version of a review is the same but for its name. */
function answerReview(
  { kind, path, query, user, request, response }: Call,
  review: Review,
  body: unknown,
): void {
  const old = isRecord(body) && body.apiVersion === `${kind.group}/v1beta1`;
  const current = old ? { ...body, apiVersion: apiVersionOf(kind) } : body;
  const asked = decodeObject(kind, current, writeOptions(query, request));
  setWarnings(response, asked.warnings);
  const answer = review(asked.object, user, path.namespace);
  sendJson(response, 201, old ? { ...answer, apiVersion: body.apiVersion } : answer);
}

/** Each object by the rules of a single deletion. */
async function deleteMany(call: Call): Promise<void> {
  const { parts, kind, path, query, request, response } = call;
  requireVerb(kind, 'deletecollection');
  const options = deleteOptions(query, await readOptionalObject(request));
  const selection = readSelection(kind, path.namespace, query);
  const matching = [...objectsOf(call)].filter(selection.matches);
  for (const { metadata } of matching)
    try {
      await parts.objects.remove(kind, metadata.namespace, metadata.name ?? '', options);
    } catch (error) {
      // It went by itself meanwhile, or by somebody else: that is what was asked for.
      if (!(error instanceof ApiError && error.code === 404)) throw error;
    }
  sendJson(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
}

async function serveOne(call: Call, name: string): Promise<void> {
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

function findOne(call: Call, name: string): KubeObject {
  const { parts, kind, path } = call;
  const virtual = parts.virtual.get(kind);
  if (!virtual) return parts.objects.get(kind, path.namespace, name);
  const found = virtual(path.namespace).find(name);
  if (!found) throw notFoundObject(kind, name);
  return found;
}

async function replaceOne(call: Call, name: string): Promise<void> {
  const { parts, kind, path, request } = call;
  if (!path.subresource) requireVerb(kind, 'update');
  const body = await readObject(request);
  const written = await parts.objects.update(kind, path.namespace, name, () => body, optionsOf(call));
  sendWritten(call, 200, written);
}

async function patchOne(call: Call, name: string): Promise<void> {
  const { parts, kind, path, query, request } = call;
  if (!path.subresource) requireVerb(kind, 'patch');
  const type = contentTypeOf(request);
  const text = await readBody(request);
  if (type === APPLY_TYPE) return applyOne(call, name, noteAsked(request, parseYaml(text)));
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

/** A write to a subresource changes nothing else. */
const optionsOf = ({ parts, kind, user, query, request, path }: Call): WriteOptions => ({
  ...writeOptions(query, request),
  admit: (object, old) =>
    admitWrite(parts.authorizer, user, { kind, object, old, isCreate: request.method === 'POST' }),
  ...(path.subresource === 'status' ? { subresource: 'status' } : {}),
});

async function deleteOne(call: Call, name: string): Promise<void> {
  const { parts, kind, path, query, request } = call;
  requireVerb(kind, 'delete');
  const options = deleteOptions(query, await readOptionalObject(request));
  sendRemoved(call, await parts.objects.remove(kind, path.namespace, name, options));
}

/** What is gone is told as a Status, what lives on as the object. */
function sendRemoved({ kind, response }: Call, { object, gone }: Removed): void {
  if (!gone) return sendJson(response, 200, object);
  const { name, uid } = object.metadata;
  const details = { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural, uid };
  sendJson(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

async function serveSubresource(call: Call): Promise<void> {
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
  throw methodNotAllowed(`${request.method} is not allowed on ${kind.plural}/${subresource}`);
}

function verbOfSubresource(method: string | undefined): string {
  if (method === 'GET') return 'get';
  if (method === 'PUT') return 'update';
  return method === 'PATCH' ? 'patch' : 'create';
}

function sendOne({ kind, form, query, response }: Call, code: number, object: KubeObject): void {
  sendJson(response, code, formatOne(kind, object, form, query, Date.now()));
}

function sendWritten(call: Call, code: number, { object, warnings, annotations = {} }: Written): void {
  setWarnings(call.response, warnings);
  annotate(call.request, annotations);
  sendOne(call, code, object);
}

function requireVerb(kind: Kind, verb: Kind['verbs'][number]): void {
  if (kind.verbs.includes(verb)) return;
  throw methodNotAllowed(
    kind.kind === 'Pod'
      ? `pods cannot be written: an agent makes the pods of its node from DaemonSets`
      : kind.kind === 'Node'
        ? `nodes cannot be created: a machine joins with 'fleetset join'`
        : `the server does not allow this method on ${kind.plural}`,
  );
}
