// The ConfigMaps and Secrets that a node is told of: those that the templates of its pods name, and no others.
import type { ConfigObject } from '@fleetset/proto/gen/fleetset/v1/node';
import {
  type ConfigKind,
  type ConfigRef,
  configRefs,
  pullSecretRefs,
} from '@fleetset/scheduler-core/node/config-data';
import type { ConfigMap, Secret } from '@fleetset/scheduler-core/schema/plain';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Store } from '../store/store.ts';
import type { BodyBook } from './body-book.ts';
import { remembered } from './remembered.ts';

export const CONFIG_COLLECTIONS: { readonly [kind in ConfigKind]: string } = {
  ConfigMap: 'core/configmaps',
  Secret: 'core/secrets',
};

export const configKey = ({ kind, namespace, name }: Omit<ConfigObject, 'hash'>): string =>
  `${kind}/${namespace}/${name}`;

const refs = new WeakMap<PodTemplateSpec, readonly ConfigRef[]>();
export const refsOf = (template: PodTemplateSpec): readonly ConfigRef[] =>
  remembered(refs, template, () => (template.spec ? configRefs(template.spec) : []));

const pullRefs = new WeakMap<PodTemplateSpec, readonly ConfigRef[]>();
export const pullRefsOf = (template: PodTemplateSpec): readonly ConfigRef[] =>
  remembered(pullRefs, template, () => (template.spec ? pullSecretRefs(template.spec) : []));

export const secretRef = (name: string): ConfigRef => ({ kind: 'Secret', name });

/** As it is now; without a hash when there is none. */
export function readConfig(
  { store, bodies }: { readonly store: Store; readonly bodies: BodyBook },
  kind: ConfigKind,
  namespace: string,
  name: string,
): ConfigObject {
  const value = readEntries(store, kind, namespace, name);
  return { kind, namespace, name, hash: value ? bodies.hashOf(value) : '' };
}

/** What pods see of it; undefined when there is none. */
export function readEntries(store: Store, kind: string, namespace: string, name: string): object | undefined {
  const value = store.get(CONFIG_COLLECTIONS[kind as ConfigKind], `${namespace}/${name}`)?.value;
  return value && entriesOf(value);
}

/** Made once from each stored object. */
const entries = new WeakMap<object, object>();
const entriesOf = (value: object): object =>
  remembered(entries, value, () => {
    const { data, binaryData } = value as ConfigMap & Secret;
    return { ...(data ? { data } : {}), ...(binaryData ? { binaryData } : {}) };
  });
