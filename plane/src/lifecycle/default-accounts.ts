// The ServiceAccount `default`: in every namespace from its first moment, and there again when somebody deletes it.
import { randomUUID } from 'node:crypto';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';
import { schedule } from '../timer.ts';

const NAMESPACES = 'core/namespaces';
const ACCOUNTS = 'core/serviceaccounts';
const NAME = 'default';

export const newDefaultAccount = (namespace: string, nowText: string): Write => ({
  collection: ACCOUNTS,
  id: `${namespace}/${NAME}`,
  value: {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: NAME, namespace, uid: randomUUID(), creationTimestamp: nowText },
  },
  expect: 'absent',
  durable: true,
});

/** What is missing now; a conflict is a change, after which it is looked at again. */
export async function restoreDefaultAccounts(store: Store, nowText: string): Promise<void> {
  for (;;) {
    const missing = [...store.list(NAMESPACES)].filter(
      ({ id, value }) =>
        !(value as unknown as KubeObject).metadata.deletionTimestamp && !store.get(ACCOUNTS, `${id}/${NAME}`),
    );
    const writes = missing.map(({ id }) => newDefaultAccount(id, nowText));
    if (writes.length === 0 || (await store.commit(writes)).committed) return;
  }
}

export interface DefaultAccountsLoop {
  readonly stop: () => Promise<void>;
}

export function startDefaultAccounts(
  store: Store,
  nowText: () => string,
  onFailure: (error: unknown, retryInMs: number) => void,
): DefaultAccountsLoop {
  const loop = startLevelLoop({
    pass: async () => {
      await restoreDefaultAccounts(store, nowText());
      return {};
    },
    schedule,
    onFailure,
  });
  const watch = store.watch(ACCOUNTS, store.version(), ({ id, value }) => {
    if (value === undefined && id.endsWith(`/${NAME}`)) loop.wake();
  });
  return {
    stop: async () => {
      if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}
