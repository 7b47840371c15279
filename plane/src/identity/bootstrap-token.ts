// Bootstrap tokens, kept as Kubernetes keeps them: Secrets of type bootstrap.kubernetes.io/token in kube-system.
import { timingSafeEqual } from 'node:crypto';
import type { Secret } from '@fleetset/scheduler-core/schema/plain';
import type { Store } from '../store/store.ts';

export const TOKEN_NAMESPACE = 'kube-system';
export const TOKEN_TYPE = 'bootstrap.kubernetes.io/token';

export type TokenVerdict =
  | { readonly good: true; readonly id: string }
  | { readonly good: false; readonly why: string };

/** `token` is ID.SECRET; `now` in milliseconds since the epoch. */
export function judgeToken(store: Store, token: string, now: number): TokenVerdict {
  const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
  if (!id || !secret) return { good: false, why: 'the token is not of the form abcdef.0123456789abcdef' };
  const stored = store.get('core/secrets', `${TOKEN_NAMESPACE}/bootstrap-token-${id}`)?.value as
    | Secret
    | undefined;
  if (stored?.type !== TOKEN_TYPE) return { good: false, why: 'the token is not known, or was deleted' };
  const field = (name: string): string => Buffer.from(stored.data?.[name] ?? '', 'base64').toString('utf8');
  if (!sameSecret(field('token-secret'), secret))
    return { good: false, why: 'the token is not known, or was deleted' };
  if (field('usage-bootstrap-authentication') !== 'true')
    return { good: false, why: 'the token may not be used to join' };
  const expiration = field('expiration');
  if (expiration !== '' && !(Date.parse(expiration) > now))
    return { good: false, why: 'the token has expired' };
  return { good: true, id };
}

function sameSecret(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
