// What every namespace has from its first moment, and again when somebody takes it away: the ServiceAccount `default`, and
// the CA's certificate in a ConfigMap for its pods.
import { randomUUID } from 'node:crypto';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import { ROOT_CA, rootCaData } from '@fleetset/scheduler-core/node/service-account';
import type { ConfigMap } from '@fleetset/scheduler-core/schema/plain';
import type { KubeObject } from '../kinds/kind.ts';
import type { Change, Store, Write } from '../store/store.ts';
import { schedule } from '../timer.ts';

const NAMESPACES = 'core/namespaces';
const ACCOUNTS = 'core/serviceaccounts';
const CONFIG_MAPS = 'core/configmaps';
const DEFAULT = 'default';

/** `caCertificate`: PEM. */
export const namespaceDefaults = (namespace: string, caCertificate: string, nowText: string): Write[] => [
  newAccount(namespace, nowText),
  newRootCa(namespace, caCertificate, nowText),
];

const metadataOf = (namespace: string, name: string, nowText: string) => ({
  name,
  namespace,
  uid: randomUUID(),
  creationTimestamp: nowText,
});

const newAccount = (namespace: string, nowText: string): Write => ({
  collection: ACCOUNTS,
  id: `${namespace}/${DEFAULT}`,
  value: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadataOf(namespace, DEFAULT, nowText) },
  expect: 'absent',
  durable: true,
});

const newRootCa = (namespace: string, caCertificate: string, nowText: string): Write => ({
  collection: CONFIG_MAPS,
  id: `${namespace}/${ROOT_CA}`,
  value: {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadataOf(namespace, ROOT_CA, nowText),
    data: rootCaData(caCertificate),
  },
  expect: 'absent',
  durable: true,
});

/** What is missing or was changed; a conflict is a change, after which it is looked at again. */
export async function restoreNamespaceDefaults(
  store: Store,
  caCertificate: string,
  nowText: string,
): Promise<void> {
  for (;;) {
    const writes = [...store.list(NAMESPACES)]
      .filter(({ value }) => !(value as unknown as KubeObject).metadata.deletionTimestamp)
      .flatMap(({ id }) => [
        ...(store.get(ACCOUNTS, `${id}/${DEFAULT}`) ? [] : [newAccount(id, nowText)]),
        ...restoredRootCa(store, id, caCertificate, nowText),
      ]);
    if (writes.length === 0 || (await store.commit(writes)).committed) return;
  }
}

function restoredRootCa(store: Store, namespace: string, caCertificate: string, nowText: string): Write[] {
  const stored = store.get(CONFIG_MAPS, `${namespace}/${ROOT_CA}`);
  if (!stored) return [newRootCa(namespace, caCertificate, nowText)];
  const { data, binaryData, ...rest } = stored.value as unknown as ConfigMap & KubeObject;
  const wanted = rootCaData(caCertificate);
  const isWhole =
    binaryData === undefined &&
    Object.keys(data ?? {}).length === 1 &&
    Object.entries(wanted).every(([key, value]) => data?.[key] === value);
  if (isWhole) return [];
  const write: Write = {
    collection: CONFIG_MAPS,
    id: `${namespace}/${ROOT_CA}`,
    value: { ...rest, data: wanted },
    expect: stored.version,
    durable: true,
  };
  return [write];
}

export interface NamespaceDefaultsLoop {
  readonly stop: () => Promise<void>;
}

export function startNamespaceDefaults(
  store: Store,
  caCertificate: string,
  nowText: () => string,
  onFailure: (error: unknown, retryInMs: number) => void,
): NamespaceDefaultsLoop {
  const loop = startLevelLoop({
    pass: async () => {
      await restoreNamespaceDefaults(store, caCertificate, nowText());
      return {};
    },
    schedule,
    onFailure,
  });
  const follow = (collection: string, name: string, isNews: (change: Change) => boolean) =>
    store.watch(collection, store.version(), (change) => {
      if (change.id.endsWith(`/${name}`) && isNews(change)) loop.wake();
    });
  const watches = [
    follow(ACCOUNTS, DEFAULT, ({ value }) => value === undefined),
    follow(CONFIG_MAPS, ROOT_CA, ({ previous }) => previous !== undefined),
  ];
  return {
    stop: async () => {
      for (const watch of watches) if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}
