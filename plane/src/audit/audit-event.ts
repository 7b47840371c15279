// One line of the audit log: a request at one stage, as an Event of audit.k8s.io/v1.
import type { AuditScope, AuditStage } from '@fleetset/scheduler-core/audit/audit-policy';
import { type Access, isPathAccess } from '@fleetset/scheduler-core/rbac/attributes';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import type { User } from '../authentication/user.ts';
import type { AuditedBodies } from './audited-bodies.ts';

export interface AuditedRequest {
  readonly auditId: string;
  readonly uri: string;
  readonly access: Access;
  readonly apiVersion: string;
  /** Absent: nobody that is known. */
  readonly user: User | undefined;
  readonly actingAs: User | undefined;
  readonly sourceIps: readonly string[];
  readonly userAgent: string;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  readonly bodies: AuditedBodies;
}

/** As a Status without its type; absent while there is none. */
export type AuditedStatus = { readonly code: number } & { readonly [field: string]: unknown };

export function auditEvent(
  request: AuditedRequest,
  scope: AuditScope,
  stage: AuditStage,
  at: number,
  status?: AuditedStatus,
): object {
  const { user, actingAs, bodies, access } = request;
  const { asked, answered, annotations } = bodies;
  const withRequest = scope.level === 'Request' || scope.level === 'RequestResponse';
  const withResponse = scope.level === 'RequestResponse' && stage === 'ResponseComplete';
  const shown = (body: unknown, isAnswer: boolean) =>
    withoutOwners(withoutTokens(access, body, isAnswer), scope.omitManagedFields);
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: scope.level,
    auditID: request.auditId,
    stage,
    requestURI: request.uri,
    verb: access.verb,
    user: user ? userInfo(user) : {},
    ...(actingAs ? { impersonatedUser: userInfo(actingAs) } : {}),
    sourceIPs: request.sourceIps,
    ...(request.userAgent === '' ? {} : { userAgent: request.userAgent }),
    ...(isPathAccess(access) ? {} : { objectRef: objectRef(request) }),
    ...(status ? { responseStatus: { metadata: {}, ...status } } : {}),
    ...(withRequest && asked !== undefined ? { requestObject: shown(asked, false) } : {}),
    ...(withResponse && answered !== undefined ? { responseObject: shown(answered, true) } : {}),
    requestReceivedTimestamp: microTime(request.receivedAt),
    stageTimestamp: microTime(at),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

const microTime = (instant: number): string => new Date(instant).toISOString().replace('Z', '000Z');

const userInfo = ({ name, uid, groups, extra }: User): object => ({
  username: name,
  ...(uid ? { uid } : {}),
  groups,
  ...(extra ? { extra } : {}),
});

/** The name of what is created is in what was sent or, where the plane chose it, in what was answered. */
function objectRef({ access, apiVersion, bodies }: AuditedRequest): object | undefined {
  if (isPathAccess(access)) return undefined;
  const { group, resource, subresource, namespace, name } = access;
  const sent = subresource ? {} : metadataOf(bodies.asked);
  const made = access.verb === 'create' && !subresource ? metadataOf(bodies.answered) : {};
  const called = name ?? sent.name ?? made.name;
  const uid = sent.uid ?? made.uid;
  return {
    resource,
    ...(namespace ? { namespace } : {}),
    ...(called ? { name: called } : {}),
    ...(uid ? { uid } : {}),
    ...(group ? { apiGroup: group } : {}),
    apiVersion,
    ...(sent.resourceVersion ? { resourceVersion: sent.resourceVersion } : {}),
    ...(subresource ? { subresource } : {}),
  };
}

interface Named {
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

function metadataOf(body: unknown): Named {
  const metadata = isRecord(body) && body.kind !== 'Status' && isRecord(body.metadata) ? body.metadata : {};
  const text = (field: keyof Named) =>
    typeof metadata[field] === 'string' ? { [field]: metadata[field] } : {};
  return { ...text('name'), ...text('uid'), ...text('resourceVersion') };
}

/** Of a review only what is no secret is kept, and of a token that was made only how long it is good for. */
function withoutTokens(access: Access, body: unknown, isAnswer: boolean): unknown {
  if (isPathAccess(access) || !isRecord(body)) return body;
  const { spec, status, ...rest } = body;
  // Also in a field that does not belong there, the client may have put it.
  if (access.resource === 'tokenreviews')
    return body.kind === 'Status'
      ? body
      : {
          ...only(body, 'apiVersion'),
          ...only(body, 'kind'),
          spec: only(spec, 'audiences'),
          ...(isAnswer ? only(body, 'status') : {}),
        };
  if (access.resource === 'serviceaccounts' && access.subresource === 'token')
    return {
      ...rest,
      ...(spec === undefined ? {} : { spec }),
      ...(body.kind === 'Status'
        ? { status }
        : status === undefined
          ? {}
          : { status: only(status, 'expirationTimestamp') }),
    };
  return body;
}

const only = (value: unknown, field: string): object =>
  isRecord(value) && value[field] !== undefined ? { [field]: value[field] } : {};

function withoutOwners(body: unknown, omit: boolean): unknown {
  if (!omit || !isRecord(body)) return body;
  const items = Array.isArray(body.items)
    ? { items: body.items.map((item) => withoutOwners(item, true)) }
    : {};
  if (!isRecord(body.metadata)) return { ...body, ...items };
  const { managedFields, ...metadata } = body.metadata;
  return { ...body, ...items, metadata };
}
