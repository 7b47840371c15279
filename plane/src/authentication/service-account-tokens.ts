// Tokens of service accounts: signed, expiring, for named audiences, and good only as long as the account is there and
// what the token is bound to.
import { randomUUID } from 'node:crypto';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import type { Secret } from '@fleetset/scheduler-core/schema/plain';
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import { collectionOf, idOf, type KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';
import { type Claims, readToken, signToken, type TokenKeys } from './json-web-token.ts';
import { accountGroups, accountUserName, type User } from './user.ts';

/** Kubernetes' own: what relying parties find in `iss`, and what a token without an audience is for. */
export const ISSUER = 'https://kubernetes.default.svc';

/** What a token lives and dies with, besides its account. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Secret' | 'Node';
  readonly name: string;
  readonly uid: string;
  /** Of a Pod: where it runs. */
  readonly node?: { readonly name: string; readonly uid: string };
}

type BoundSecret = Pick<BoundObject, 'name' | 'uid'>;

export interface TokenOrder {
  readonly namespace: string;
  readonly account: { readonly name: string; readonly uid: string };
  /** Empty: this plane's API. */
  readonly audiences: readonly string[];
  readonly lifetimeSeconds: number;
  readonly bound?: BoundObject;
}

type Claimed = Omit<TokenOrder, 'lifetimeSeconds'>;

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface AccountTokens {
  /** One that never expires, for a Secret to hold: it ends with that, with the account, or when the Secret has another. */
  readonly issueFor: (namespace: string, account: TokenOrder['account'], secret: BoundSecret) => string;
  readonly issue: (order: TokenOrder) => IssuedToken;
  /** Who holds it, and for which of the audiences asked it is good; undefined for a token that is not good. */
  readonly judge: (
    token: string,
    audiences: readonly string[],
  ) => { readonly user: User; readonly audiences: readonly string[] } | undefined;
}

/** Tokens whose signature was found good: checking one again costs as much as all the rest of a request. */
const KNOWN_LIMIT = 10_000;

/** A pod that is being deleted may still speak while it stops. */
const GRACE_AFTER_DELETION_MS = 60_000;

const BOUND_COLLECTIONS = {
  pod: collectionOf({ group: '', plural: 'pods' }),
  secret: collectionOf({ group: '', plural: 'secrets' }),
  node: collectionOf({ group: '', plural: 'nodes' }),
} as const;

export function createAccountTokens(parts: {
  readonly store: Store;
  readonly keys: TokenKeys;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** This plane does not know yet which pods run on the node. */
  readonly isUnheard: (nodeName: string) => boolean;
}): AccountTokens {
  const { store, keys, wallNow } = parts;
  const known = new Map<string, Claims>();
  let knownBy = keys.all();
  const claimsOf = (token: string): Claims | undefined => {
    // A key that was taken back voids what it signed.
    if (knownBy !== keys.all()) known.clear();
    knownBy = keys.all();
    const claims = known.get(token) ?? readToken(knownBy, token);
    if (known.size >= KNOWN_LIMIT) known.clear();
    if (claims) known.set(token, claims);
    return claims;
  };
  const found = (collection: string, id: string, uid: unknown): boolean => {
    const object = store.get(collection, id)?.value as KubeObject | undefined;
    if (object === undefined || object.metadata.uid !== uid) return false;
    const { deletionTimestamp } = object.metadata;
    return !deletionTimestamp || Date.parse(deletionTimestamp) + GRACE_AFTER_DELETION_MS > wallNow();
  };
  /** A plane that has just started knows of no pod until its node says so: it may be there. */
  const mayBeThere = (id: string, node: unknown): boolean =>
    isRecord(node) &&
    !store.get(BOUND_COLLECTIONS.pod, id) &&
    found(BOUND_COLLECTIONS.node, String(node.name), node.uid) &&
    parts.isUnheard(String(node.name));
  const sign = ({ namespace, account, audiences, bound }: Claimed, times: Claims): string =>
    signToken(keys.all()[0], {
      aud: audiences.length > 0 ? audiences : [ISSUER],
      iss: ISSUER,
      ...times,
      jti: randomUUID(),
      'kubernetes.io': { namespace, serviceaccount: account, ...(bound ? boundClaims(bound) : {}) },
      sub: accountUserName(namespace, account.name),
    });
  return {
    issue: (order) => {
      const seconds = Math.floor(wallNow() / 1000);
      const exp = seconds + order.lifetimeSeconds;
      return { token: sign(order, { exp, iat: seconds, nbf: seconds }), expiresAt: exp * 1000 };
    },
    issueFor: (namespace, account, secret) =>
      sign({ namespace, account, audiences: [], bound: { kind: 'Secret', ...secret } }, {}),
    judge: (token, asked) => {
      const claims = claimsOf(token);
      const good = claims && isInTime(claims, wallNow()) && claims.iss === ISSUER;
      const audiences = good ? asked.filter((audience) => listOf(claims.aud).includes(audience)) : [];
      const own = claims?.['kubernetes.io'];
      if (!good || audiences.length === 0 || !isRecord(own)) return undefined;
      const { namespace, serviceaccount: account } = own;
      if (typeof namespace !== 'string' || !isRecord(account)) return undefined;
      const name = String(account.name);
      if (!found('core/serviceaccounts', idOf(namespace, name), account.uid)) return undefined;
      for (const [kind, collection] of Object.entries(BOUND_COLLECTIONS)) {
        const bound = own[kind];
        if (!isRecord(bound)) continue;
        // The node of a pod's token is where the pod was, and no condition.
        if (kind === 'node' && isRecord(own.pod)) continue;
        const id = kind === 'node' ? String(bound.name) : idOf(namespace, String(bound.name));
        if (kind === 'secret' && claims.exp === undefined && !isHeldBy(store, id, token)) return undefined;
        if (found(collection, id, bound.uid)) continue;
        if (kind !== 'pod' || !mayBeThere(id, own.node)) return undefined;
      }
      return { user: userOf(namespace, name, String(account.uid), claims), audiences };
    },
  };
}

function boundClaims({ kind, name, uid, node }: BoundObject): Claims {
  return { [kind.toLowerCase()]: { name, uid }, ...(node ? { node } : {}) };
}

/** Without a time are those alone that Secrets hold. */
const isInTime = ({ exp, nbf, 'kubernetes.io': own }: Claims, now: number): boolean =>
  exp === undefined
    ? isRecord(own) && isRecord(own.secret)
    : typeof exp === 'number' && now < exp * 1000 && typeof nbf === 'number' && nbf * 1000 <= now;

const isHeldBy = (store: Store, secretId: string, token: string): boolean => {
  const { data } = (store.get(BOUND_COLLECTIONS.secret, secretId)?.value ?? {}) as Secret;
  return Buffer.from(data?.token ?? '', 'base64').toString('utf8') === token;
};

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);

function userOf(namespace: string, name: string, uid: string, claims: Claims): User {
  const own = claims['kubernetes.io'] as { readonly [kind: string]: unknown };
  const bound = (['pod', 'node'] as const).flatMap((kind): [string, readonly string[]][] => {
    const object = own[kind];
    if (!isRecord(object)) return [];
    return [
      [`authentication.kubernetes.io/${kind}-name`, [String(object.name)]],
      [`authentication.kubernetes.io/${kind}-uid`, [String(object.uid)]],
    ];
  });
  const credential: [string, readonly string[]] = [
    'authentication.kubernetes.io/credential-id',
    [`JTI=${String(claims.jti)}`],
  ];
  return {
    name: accountUserName(namespace, name),
    uid,
    groups: accountGroups(namespace),
    extra: Object.fromEntries([credential, ...bound]),
  };
}

/** Which object of the API a pod's token is bound to, from the Pod itself. */
export function boundToPod(pod: Pod & Pick<KubeObject, 'metadata'>, store: Store): BoundObject {
  const { name = '', uid = '' } = pod.metadata;
  const nodeName = pod.spec?.nodeName;
  const node = nodeName
    ? (store.get('core/nodes', nodeName)?.value as KubeObject | undefined)?.metadata.uid
    : undefined;
  return {
    kind: 'Pod',
    name,
    uid,
    ...(nodeName && node ? { node: { name: nodeName, uid: node } } : {}),
  };
}
