// One request about stored objects, as those who serve it see it, and what they all do with it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { annotate } from '../audit/audited-bodies.ts';
import type { User } from '../authentication/user.ts';
import { admitWrite } from '../authorization/admit-write.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { Kind, KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';
import type { Upgrade } from '../streams/upgrade.ts';
import { methodNotAllowed, notFoundObject } from './api-error.ts';
import { formatOne } from './list.ts';
import type { Negotiated } from './negotiate.ts';
import type { WriteOptions, Written } from './object-options.ts';
import type { Objects } from './objects.ts';
import type { RequestPath } from './request.ts';
import type { RequestLimits } from './request-limits.ts';
import { sendObject, setWarnings } from './respond.ts';
import type { Review } from './reviews.ts';
import { writeOptions } from './write-options.ts';

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

export interface Call {
  readonly parts: ResourceParts;
  readonly kind: Kind;
  readonly path: RequestPath;
  readonly user: User;
  readonly query: URLSearchParams;
  /** How it is answered. */
  readonly reply: Negotiated;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgrade: Upgrade | undefined;
  /** Aborts when the answer is of use to nobody any more. */
  readonly signal: AbortSignal;
}

export function findOne(call: Call, name: string): KubeObject {
  const { parts, kind, path } = call;
  const virtual = parts.virtual.get(kind);
  if (!virtual) return parts.objects.get(kind, path.namespace, name);
  const found = virtual(path.namespace).find(name);
  if (!found) throw notFoundObject(kind, name);
  return found;
}

/** A write to a subresource changes nothing else. */
export const optionsOf = ({
  parts,
  kind,
  user,
  query,
  request,
  path: { subresource },
}: Call): WriteOptions => ({
  ...writeOptions(query, request),
  admit: (object, old) =>
    admitWrite(parts.authorizer, user, { kind, object, old, isCreate: request.method === 'POST' }),
  ...(subresource === 'status' || subresource === 'finalize' ? { subresource } : {}),
});

export function sendOne({ kind, reply, query, response }: Call, code: number, object: KubeObject): void {
  sendObject(response, code, formatOne(kind, object, reply.form, query, Date.now()));
}

export function sendWritten(call: Call, code: number, { object, warnings, annotations = {} }: Written): void {
  setWarnings(call.response, warnings);
  annotate(call.request, annotations);
  sendOne(call, code, object);
}

export function requireVerb(kind: Kind, verb: Kind['verbs'][number]): void {
  if (kind.verbs.includes(verb)) return;
  throw methodNotAllowed(
    kind.kind === 'Pod'
      ? `pods cannot be written: an agent makes the pods of its node from DaemonSets`
      : kind.kind === 'Node'
        ? `nodes cannot be created: a machine joins with 'fleetset join'`
        : `the server does not allow this method on ${kind.plural}`,
  );
}
