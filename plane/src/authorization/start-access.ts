// All that decides who may do what, begun before the first request: default roles are there, roles that are sums are
// summed up, and a loop keeps them so.
import type { Store } from '../store/store.ts';
import { aggregateRoles, startAggregation } from './aggregate-roles.ts';
import { type Authorizer, createAuthorizer } from './authorizer.ts';
import { reconcileDefaults } from './reconcile-defaults.ts';

export interface Access {
  readonly authorizer: Authorizer;
  readonly stop: () => Promise<void>;
}

export async function startAccess(
  store: Store,
  nowText: () => string,
  onFailure: (loop: string) => (error: unknown, retryInMs: number) => void,
): Promise<Access> {
  await reconcileDefaults(store, nowText());
  await aggregateRoles(store);
  const authorizer = createAuthorizer(store);
  const aggregation = startAggregation(store, onFailure('role aggregation'));
  return {
    authorizer,
    stop: async () => {
      authorizer.close();
      await aggregation.stop();
    },
  };
}
