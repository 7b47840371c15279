// One request from its arrival to its end, whoever ends it: its error is answered, and how it ended is told.
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditedStatus } from '../audit/audit-event.ts';
import type { AuditEntry } from '../audit/audit-log.ts';
import type { User } from '../authentication/user.ts';
import type { Upgrade } from '../streams/upgrade.ts';
import { ApiError, statusOf } from './api-error.ts';
import { sendError } from './respond.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgrade?: Upgrade;
  readonly audit: AuditEntry | undefined;
  /** Once it is known. */
  user?: User;
}

export interface Reply {
  readonly method: string;
  readonly path: string;
  readonly code: number;
  readonly user?: string;
  /** Not the client's. */
  readonly error?: unknown;
}

/** `closed`: the exchange is over. */
export async function runExchange(
  exchange: Exchange,
  closed: EventEmitter,
  serve: (exchange: Exchange) => Promise<void>,
  onReply: (reply: Reply) => void,
): Promise<void> {
  const { request, response, upgrade, audit } = exchange;
  const over = new Promise((resolve) => closed.once('close', resolve));
  if (audit) {
    response.setHeader('Audit-Id', audit.auditId);
    onHead(response, audit.started);
  }
  let failure: unknown;
  await serve(exchange).catch((error: unknown) => {
    failure = error;
    // What it has not sent yet nobody reads.
    if (error instanceof ApiError && error.code === 504) response.shouldKeepAlive = false;
    if (upgrade?.granted()) upgrade.drop();
    else sendError(response, error);
  });
  await over;
  const code = upgrade?.granted() ? 101 : response.statusCode;
  const user = exchange.user?.name;
  const isOurs = failure !== undefined && (!(failure instanceof ApiError) || failure.code === 500);
  onReply({
    method: request.method ?? '',
    path: request.url ?? '',
    code,
    ...(user === undefined ? {} : { user }),
    ...(isOurs ? { error: failure } : {}),
  });
  if (failure !== undefined && !(failure instanceof ApiError)) audit?.panicked(auditedFailure(failure));
  else if (failure !== undefined) audit?.completed(auditedFailure(failure));
  else audit?.completed(upgrade?.granted() || response.headersSent ? { code } : undefined);
}

function auditedFailure(failure: unknown): AuditedStatus {
  const { kind, apiVersion, ...status } = statusOf(failure).body;
  return status;
}

function onHead(response: ServerResponse, tell: (code: number) => void): void {
  const { writeHead } = response;
  response.writeHead = ((code: number, ...rest: never[]) => {
    tell(code);
    return writeHead.call(response, code, ...rest);
  }) as ServerResponse['writeHead'];
}
