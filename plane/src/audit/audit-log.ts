// Follows each request through its stages, and writes those that the policy asks for.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type AuditScope, type AuditStage, auditScope } from '@fleetset/scheduler-core/audit/audit-policy';
import { type Access, isPathAccess, type Verdict } from '@fleetset/scheduler-core/rbac/attributes';
import type { AuditPolicy } from '@fleetset/scheduler-core/schema/audit-policy';
import type { User } from '../authentication/user.ts';
import { type AuditedStatus, auditEvent } from './audit-event.ts';
import type { AuditFile } from './audit-file.ts';
import { type AuditedBodies, keepBodies } from './audited-bodies.ts';

export interface AuditLog {
  readonly begin: (request: IncomingMessage) => AuditEntry;
  readonly counts: AuditFile['counts'];
  readonly close: () => Promise<void>;
}

export interface AuditEntry {
  readonly auditId: string;
  /** What it is about; from here on it is kept, if the policy says so. */
  readonly asked: (access: Access, apiVersion: string, user: User | undefined) => void;
  readonly actsAs: (user: User) => void;
  readonly decided: (verdict: Verdict) => void;
  /** The answer begins; it counts for requests that are answered for long. */
  readonly started: (code: number) => void;
  readonly completed: (status: AuditedStatus | undefined) => void;
  /** An error that is not the client's. */
  readonly panicked: (status: AuditedStatus) => void;
}

const LONGEST_AUDIT_ID = 64;
const LONGEST_USER_AGENT = 1024;
const STREAMED = ['exec', 'attach', 'portforward', 'log', 'proxy'];

/** Answered for as long as the client wants. */
export const isLongRunning = (access: Access): boolean =>
  !isPathAccess(access) && (access.verb === 'watch' || STREAMED.includes(access.subresource ?? ''));

export function createAuditLog(policy: AuditPolicy, file: AuditFile, wallNow: () => number): AuditLog {
  return {
    begin: (request) => follow(policy, file, wallNow, request),
    counts: file.counts,
    close: file.close,
  };
}

interface Known {
  readonly access: Access;
  readonly apiVersion: string;
  readonly user: User | undefined;
  readonly scope: AuditScope;
  readonly bodies: AuditedBodies;
}

function follow(
  policy: AuditPolicy,
  file: AuditFile,
  wallNow: () => number,
  request: IncomingMessage,
): AuditEntry {
  const receivedAt = wallNow();
  const given = request.headersDistinct['audit-id']?.[0] ?? '';
  const auditId = given.slice(0, LONGEST_AUDIT_ID) || randomUUID();
  const uri = request.url ?? '';
  const sourceIps = sourcesOf(request);
  let known: Known | undefined;
  let actingAs: User | undefined;

  const write = (stage: AuditStage, status?: AuditedStatus) => {
    if (!known || known.scope.level === 'None' || known.scope.omitStages.includes(stage)) return;
    const { scope, ...rest } = known;
    const userAgent = agentOf(request);
    const audited = { auditId, uri, sourceIps, userAgent, receivedAt, actingAs, ...rest };
    file.write(JSON.stringify(auditEvent(audited, scope, stage, wallNow(), status)));
  };

  return {
    auditId,
    asked: (access, apiVersion, user) => {
      const scope = auditScope(policy, { access, ...(user ? { user } : {}) });
      const bodies = scope.level === 'None' ? { annotations: {} } : keepBodies(request);
      known = { access, apiVersion, user, scope, bodies };
      write('RequestReceived');
    },
    actsAs: (user) => {
      actingAs = user;
    },
    decided: ({ allowed, reason }) => {
      if (!known) return;
      known.bodies.annotations['authorization.k8s.io/decision'] = allowed ? 'allow' : 'forbid';
      known.bodies.annotations['authorization.k8s.io/reason'] = reason;
    },
    started: (code) => {
      if (known && isLongRunning(known.access)) write('ResponseStarted', { code });
    },
    completed: (status) => write('ResponseComplete', status),
    panicked: (status) => write('Panic', status),
  };
}

/** As the proxies before this one say, and last the one that is really there. */
function sourcesOf({ headers, socket }: IncomingMessage): string[] {
  const plain = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '');
  const forwarded = String(headers['x-forwarded-for'] ?? headers['x-real-ip'] ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => /^[\da-f.:]{2,45}$/i.test(address));
  return [...new Set([...forwarded, socket.remoteAddress ?? ''].map(plain))].filter(
    (address) => address !== '',
  );
}

function agentOf({ headers }: IncomingMessage): string {
  const agent = headers['user-agent'] ?? '';
  return agent.length > LONGEST_USER_AGENT ? `${agent.slice(0, LONGEST_USER_AGENT)}...TRUNCATED` : agent;
}
