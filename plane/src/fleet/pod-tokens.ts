// Tokens for the pods of a node, when its agent asks for them: of the pod's own account, bound to the pod, and only such
// as the pod's volumes name. What is asked before the pod is known here waits for the report that tells of it.
import type { TokenWanted } from '@fleetset/proto/gen/fleetset/v1/node';
import { tokenKey, tokenRefs } from '@fleetset/scheduler-core/node/account-tokens';
import { accountName } from '@fleetset/scheduler-core/node/service-account';
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import { type AccountTokens, boundToPod } from '../authentication/service-account-tokens.ts';
import type { KubeObject } from '../kinds/kind.ts';
import { isPlaced, isPlacedOrphan } from '../rollout/belongs.ts';
import type { Store } from '../store/store.ts';
import type { Fleet, Session } from './fleet.ts';
import { idsByUid } from './pod-mirror.ts';

export interface PodTokens {
  readonly want: (session: Session, wanted: TokenWanted) => void;
  /** The node has reported: its pods are known now. */
  readonly reported: (nodeName: string) => void;
}

export interface PodTokensParts {
  readonly store: Store;
  readonly fleet: Pick<Fleet, 'get'>;
  /** Ids of the pods of a node. */
  readonly podsOf: (nodeName: string) => ReadonlySet<string>;
  readonly tokens: Pick<AccountTokens, 'issue'>;
}

/** Of one session; an agent asks once for each token that it lacks. */
const WAITING_LIMIT = 1000;

type StoredPod = Pod & Pick<KubeObject, 'metadata'>;

export function createPodTokens(parts: PodTokensParts): PodTokens {
  const { store, podsOf } = parts;
  const waiting = new WeakMap<Session, TokenWanted[]>();

  const podNamed = (nodeName: string, uid: string): StoredPod | undefined => {
    const id = idsByUid(store, podsOf(nodeName)).get(uid);
    return id === undefined ? undefined : (store.get('core/pods', id)?.value as unknown as StoredPod);
  };

  const answer = (session: Session, wanted: TokenWanted, pod: StoredPod) =>
    session.send({ $case: 'tokenIssued', value: { ...wanted, ...tokenFor(parts, wanted, pod) } });

  return {
    want: (session, wanted) => {
      const pod = podNamed(session.nodeName, wanted.podUid);
      if (pod) return answer(session, wanted, pod);
      const others = waiting.get(session) ?? [];
      if (others.length < WAITING_LIMIT) waiting.set(session, [...others, wanted]);
    },
    reported: (nodeName) => {
      const session = parts.fleet.get(nodeName)?.session;
      const asked = session && waiting.get(session);
      if (!asked) return;
      const left = asked.filter((wanted) => {
        const pod = podNamed(nodeName, wanted.podUid);
        if (pod) answer(session, wanted, pod);
        return !pod;
      });
      if (left.length > 0) waiting.set(session, left);
      else waiting.delete(session);
    },
  };
}

interface Given {
  readonly token: string;
  readonly lifetimeMs: number;
  readonly failure: string;
}

const refused = (failure: string): Given => ({ token: '', lifetimeMs: 0, failure });

function tokenFor({ store, tokens }: PodTokensParts, wanted: TokenWanted, pod: StoredPod): Given {
  const { audience, expirationSeconds } = wanted;
  const asked = tokenKey(wanted);
  if (!pod.spec || !tokenRefs(pod.spec).some((ref) => tokenKey(ref) === asked))
    return refused(
      `the pod has no volume with a token of ${expirationSeconds} s for ${audience || 'the API'}`,
    );
  const { namespace = '' } = pod.metadata;
  // What a DaemonSet left behind goes on.
  if (!isPlaced(store, pod) && !isPlacedOrphan(store, pod))
    return refused('its DaemonSet does not belong on this node');
  const name = accountName(pod.spec);
  const account = store.get('core/serviceaccounts', `${namespace}/${name}`)?.value as KubeObject | undefined;
  if (!account) return refused(`serviceaccounts ${JSON.stringify(name)} not found`);
  const { token } = tokens.issue({
    namespace,
    account: { name, uid: account.metadata.uid ?? '' },
    audiences: audience === '' ? [] : [audience],
    lifetimeSeconds: expirationSeconds,
    bound: boundToPod(pod, store),
  });
  return { token, lifetimeMs: expirationSeconds * 1000, failure: '' };
}
