// Requests about all objects of a kind: list, watch, create, and deletion of many.
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import { noteAnswered } from '../audit/audited-bodies.ts';
import { apiVersionOf, type KubeObject } from '../kinds/kind.ts';
import { protocolsOffered, type Upgrade } from '../streams/upgrade.ts';
import { messagesTo } from '../streams/watch-over-websocket.ts';
import { acceptWebSocket, requireWebSocket } from '../streams/websocket.ts';
import { ApiError, methodNotAllowed, notServed } from './api-error.ts';
import { readObject, readOptionalObject } from './body.ts';
import { listPage, type Page, requireReached, shapeOf, storedObjects } from './list.ts';
import { requireListOptions } from './list-options.ts';
import { requireStreamable, YAML_TYPE } from './negotiate.ts';
import { decodeObject } from './prepare-object.ts';
import { flagParameter } from './request.ts';
import { type Call, optionsOf, requireVerb, sendWritten } from './resource-call.ts';
import { sendObject, setWarnings } from './respond.ts';
import type { Review } from './reviews.ts';
import { readSelection } from './selection.ts';
import { listChunks, listYamlChunks, SLICE, sendChunks, YAML_SLICE } from './send-list.ts';
import { linesOf, serveWatch } from './watch.ts';
import { deleteOptions, writeOptions } from './write-options.ts';

export async function serveMany(call: Call): Promise<void> {
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
  const { parts, kind, path, user, query } = call;
  requireVerb(kind, 'list');
  const selection = readSelection(kind, path.namespace, query);
  requireListOptions(query, false);
  await parts.refresh.get(kind)?.();
  const turn = () => parts.limits.turns.take(user.name);
  const page = await listPage(parts.store, objectsOf(call), selection, query, turn);
  await sendPage(call, page);
}

async function sendPage(call: Call, { items, metadata }: Page): Promise<void> {
  const { parts, kind, user, query, reply, request, response, signal } = call;
  const shape = shapeOf(kind, metadata, reply.form, query, Date.now());
  const { head, field, shown } = shape;
  const isYaml = reply.type === YAML_TYPE;
  if (items.length <= (isYaml ? YAML_SLICE : SLICE))
    return sendObject(response, 200, { ...head, [field]: items.map(shown) });
  noteAnswered(request, { ...head, [field]: items });
  const turn = () => parts.limits.turns.take(user.name);
  const chunks = (isYaml ? listYamlChunks : listChunks)(items, shape, turn);
  await sendChunks(response, reply.type, chunks, signal);
}

function objectsOf({ parts, kind, path, query }: Call): Iterable<KubeObject> {
  return parts.virtual.get(kind)?.(path.namespace) ?? storedObjects(parts.store, kind, query);
}

function watchMany(call: Call): Promise<void> {
  const { parts, kind, path, query, reply, request, response, upgrade } = call;
  requireVerb(kind, 'watch');
  requireStreamable(reply);
  requireListOptions(query, true);
  requireReached(parts.store, query);
  const selection = readSelection(kind, path.namespace, query);
  if (upgrade) requireWebSocket(request);
  const open = () => (upgrade ? watchMessages(request, upgrade) : linesOf(response));
  const { form } = reply;
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
  sendObject(response, 201, old ? { ...answer, apiVersion: body.apiVersion } : answer);
}

/** Each object by the rules of a single deletion. Answered with the objects as they were. */
async function deleteMany(call: Call): Promise<void> {
  const { parts, kind, path, user, query, request } = call;
  requireVerb(kind, 'deletecollection');
  const options = deleteOptions(query, await readOptionalObject(request));
  const selection = readSelection(kind, path.namespace, query);
  const turn = () => parts.limits.turns.take(user.name);
  const page = await listPage(parts.store, objectsOf(call), selection, query, turn);
  for (const { metadata } of page.items)
    try {
      await parts.objects.remove(kind, metadata.namespace, metadata.name ?? '', options);
    } catch (error) {
      // It went by itself meanwhile, or by somebody else: that is what was asked for.
      if (!(error instanceof ApiError && error.code === 404)) throw error;
    }
  await sendPage(call, page);
}
