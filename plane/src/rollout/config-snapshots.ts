// ConfigMaps and Secrets as they were when a revision was made: on disk as long as a revision names them.
import { createHash, randomBytes } from 'node:crypto';
import type { ConfigObject, ConfigSnapshot } from '@fleetset/proto/gen/fleetset/v1/node';
import { canonicalJson } from '@fleetset/scheduler-core/canonical-json';
import type { ConfigRef } from '@fleetset/scheduler-core/node/config-data';
import { configPin } from '@fleetset/scheduler-core/node/config-snapshot';
import { revisionTemplate } from '@fleetset/scheduler-core/revision-history';
import type { ControllerRevision } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Store, StoredValue, Write } from '../store/store.ts';
import type { BodyBook } from './body-book.ts';
import { readConfig, readEntries } from './told-configs.ts';

const SNAPSHOTS = 'fleetset/config-snapshots';
const CONTENTS = 'fleetset/config-contents';
const SETTINGS = 'fleetset/settings';
const SALT = 'config-salt';

/** What the hash of a snapshot is made of. The salt keeps it from telling what short Secrets are: anybody who may read
 *  a pod sees it. */
export interface SnapshotBody {
  readonly salt: string;
  readonly objects: readonly ConfigObject[];
}

export interface Snapshot {
  readonly hash: string;
  readonly body: SnapshotBody;
}

export interface ConfigSnapshots {
  /** Of these objects of a namespace as they are now; undefined for none. Not kept. */
  readonly take: (namespace: string, refs: readonly ConfigRef[]) => Snapshot | undefined;
  /** What has to be written to keep it. */
  readonly keep: (snapshot: Snapshot) => readonly Write[];
  readonly find: (hash: string) => SnapshotBody | undefined;
  /** As a node is told of it; undefined when it is not kept. */
  readonly told: (hash: string) => ConfigSnapshot | undefined;
  /** Drops those that no revision names. */
  readonly sweep: () => readonly Write[];
}

export async function openConfigSnapshots(store: Store, bodies: BodyBook): Promise<ConfigSnapshots> {
  const salt = await saltOf(store);
  const bodyOf = (hash: string) => store.get(SNAPSHOTS, hash)?.value as unknown as SnapshotBody | undefined;
  return {
    take: (namespace, refs) => {
      if (refs.length === 0) return undefined;
      const objects = refs.map(({ kind, name }) => readConfig({ store, bodies }, kind, namespace, name));
      const body = { salt, objects };
      return { hash: createHash('sha256').update(canonicalJson(body)).digest('hex'), body };
    },
    keep: ({ hash, body }) => {
      if (bodyOf(hash)) return [];
      const contents = body.objects.flatMap(({ kind, namespace, name, hash: id }): Write[] => {
        const value =
          id === '' || store.get(CONTENTS, id) ? undefined : readEntries(store, kind, namespace, name);
        return value ? [{ collection: CONTENTS, id, value: value as StoredValue, durable: true }] : [];
      });
      return [...contents, { collection: SNAPSHOTS, id: hash, value: { ...body }, durable: true }];
    },
    find: bodyOf,
    told: (hash) => {
      const body = bodyOf(hash);
      if (!body) return undefined;
      bodies.hashOf(body);
      const named = [...new Set(body.objects.map(({ hash: id }) => id))].filter((id) => id !== '');
      for (const id of named) {
        const content = store.get(CONTENTS, id)?.value;
        if (content) bodies.hashOf(content);
      }
      return { hash, bodies: named };
    },
    sweep: () => sweep(store),
  };
}

async function saltOf(store: Store): Promise<string> {
  const known = store.get(SETTINGS, SALT)?.value.salt;
  if (typeof known === 'string') return known;
  const salt = randomBytes(16).toString('hex');
  await store.commit([{ collection: SETTINGS, id: SALT, value: { salt }, durable: true }]);
  return salt;
}

function sweep(store: Store): Write[] {
  const named = new Set(
    [...store.list('apps/controllerrevisions')].map(({ value }) =>
      configPin(revisionTemplate(value as unknown as ControllerRevision)),
    ),
  );
  const kept = [...store.list(SNAPSHOTS)].filter(({ id }) => named.has(id));
  const contents = new Set(
    kept.flatMap(({ value }) => (value as unknown as SnapshotBody).objects.map(({ hash }) => hash)),
  );
  const drop = (collection: string, keeps: (id: string) => boolean): Write[] =>
    [...store.list(collection)]
      .filter(({ id }) => !keeps(id))
      .map(({ id }) => ({ collection, id, durable: true }));
  return [...drop(SNAPSHOTS, (id) => named.has(id)), ...drop(CONTENTS, (id) => contents.has(id))];
}
