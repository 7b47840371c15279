// Who a request comes from: a client certificate, a bearer token of some kind, or nobody. What is shown and is not good
// is refused, never taken for nothing.
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { unauthorized } from '../api/api-error.ts';
import { judgeToken } from '../identity/bootstrap-token.ts';
import type { Store } from '../store/store.ts';
import { certificateUser } from './client-certificate.ts';
import { type AccountTokens, ISSUER } from './service-account-tokens.ts';
import { type FileTokens, hashOf } from './token-file.ts';
import { ANONYMOUS, AUTHENTICATED, BOOTSTRAPPERS, type User, withGroups } from './user.ts';
import { takeWebSocketToken } from './websocket-token.ts';

export interface AuthenticationParts {
  readonly store: Store;
  readonly accountTokens: AccountTokens;
  readonly fileTokens: FileTokens;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
}

/** For whom tokens are meant that are shown here, unless somebody asks about another. */
export const API_AUDIENCES: readonly string[] = [ISSUER];

/** Throws 401 for credentials that are not good. */
export function authenticate(parts: AuthenticationParts, request: IncomingMessage): User {
  // Whoever it is: it is to leave the header.
  const inProtocol = takeWebSocketToken(request);
  const byCertificate = certificateUser(request.socket as TLSSocket, parts.store);
  if (byCertificate) return withGroups(byCertificate, AUTHENTICATED);
  const token = bearerOf(request.headers.authorization) ?? inProtocol;
  if (token === undefined) return ANONYMOUS;
  const judged = judgeBearer(parts, token, API_AUDIENCES);
  if (!judged) throw unauthorized();
  return judged.user;
}

/** Undefined when nothing was shown that could be a token of ours. Anybody may send anything: no search goes back. */
export function bearerOf(header: string | undefined): string | undefined {
  const [scheme, token] = (header ?? '').trim().split(/\s+/, 2);
  return scheme?.toLowerCase() === 'bearer' ? token : undefined;
}

export interface JudgedToken {
  readonly user: User;
  readonly audiences: readonly string[];
}

/** Undefined for a token that is not good. Only those of service accounts are for audiences of their own. */
export function judgeBearer(
  { store, accountTokens, fileTokens, wallNow }: AuthenticationParts,
  token: string,
  audiences: readonly string[],
): JudgedToken | undefined {
  const account = accountTokens.judge(token, audiences);
  if (account) return { ...account, user: withGroups(account.user, AUTHENTICATED) };
  const forApi = audiences.filter((audience) => API_AUDIENCES.includes(audience));
  const user =
    forApi.length > 0 ? (fileTokens.get(hashOf(token)) ?? bootstrapUser(store, token, wallNow())) : undefined;
  return user && { user: withGroups(user, AUTHENTICATED), audiences: forApi };
}

function bootstrapUser(store: Store, token: string, now: number): User | undefined {
  const verdict = judgeToken(store, token, now);
  return verdict.good ? { name: `system:bootstrap:${verdict.id}`, groups: [BOOTSTRAPPERS] } : undefined;
}
