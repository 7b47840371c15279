// Tokens of its ServiceAccount that a pod's volumes hold: which, and when each has to be replaced.
import type { PodSpec } from '../schema/pod.ts';
import { mountedVolumes } from './config-data.ts';

/** What is asked of the plane for one pod. */
export interface TokenRef {
  /** Empty: the API. */
  readonly audience: string;
  readonly expirationSeconds: number;
}

/** `untold`: it is on its way. `none`: it is not to be had now. */
export type TokenLookup = (ref: TokenRef) => { readonly token: string } | 'untold' | 'none';

const DEFAULT_SECONDS = 3600;

type Sources = NonNullable<NonNullable<NonNullable<PodSpec['volumes']>[number]['projected']>['sources']>;

export const tokenRef = ({
  audience = '',
  expirationSeconds = DEFAULT_SECONDS,
}: NonNullable<Sources[number]['serviceAccountToken']>): TokenRef => ({ audience, expirationSeconds });

export const tokenKey = ({ audience, expirationSeconds }: TokenRef): string =>
  `${expirationSeconds}/${audience}`;

/** Each once. */
export function tokenRefs(spec: PodSpec): readonly TokenRef[] {
  const found = new Map<string, TokenRef>();
  for (const { projected } of mountedVolumes(spec))
    for (const { serviceAccountToken } of projected?.sources ?? [])
      if (serviceAccountToken) {
        const ref = tokenRef(serviceAccountToken);
        found.set(tokenKey(ref), ref);
      }
  return [...found.values()];
}

/** Of its life. kubelet's limit is 80 %, and a node loop goes round once a minute at the latest. */
const OLD_AT = 0.55;
const SPREAD = 0.1;
const OLDEST_MS = 24 * 3600_000;

/** At which age a token is replaced. `spread`: from 0 to 1, so that a fleet does not ask all at once. */
export const renewAfterMs = (lifetimeMs: number, spread: number): number =>
  Math.min(lifetimeMs, OLDEST_MS) * (OLD_AT + SPREAD * spread);
