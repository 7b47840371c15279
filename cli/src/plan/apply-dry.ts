// One document of a file as the plane would store it, asked of the plane without applying it.
import { applyManifest, LAST_APPLIED } from '@fleetset/scheduler-core/patch/apply-manifest';
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { ObjectMeta } from '@fleetset/scheduler-core/schema/meta';
import { configMap, secret } from '@fleetset/scheduler-core/schema/plain';
import { rolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Schema } from '@fleetset/scheduler-core/schema/schema';
import { type ApiClient, ApiFailure } from '../api-client.ts';
import { getOrNothing } from './read-fleet.ts';
import type { Manifest } from './read-manifests.ts';

interface PlannedKind {
  readonly group: string;
  readonly plural: string;
  readonly schema: Schema;
}

/** The kinds whose changes are foreseen. */
export const PLANNED_KINDS: ReadonlyMap<string, PlannedKind> = new Map([
  ['DaemonSet', { group: '/apis/apps/v1', plural: 'daemonsets', schema: daemonSet }],
  ['RolloutPolicy', { group: '/apis/fleetset.dev/v1', plural: 'rolloutpolicies', schema: rolloutPolicy }],
  ['ConfigMap', { group: '/api/v1', plural: 'configmaps', schema: configMap }],
  ['Secret', { group: '/api/v1', plural: 'secrets', schema: secret }],
]);

/** The plane would not take it. */
export class Refused extends Error {}

export interface Request {
  readonly client: ApiClient;
  /** What -n says. */
  readonly wanted: string | undefined;
  /** Namespaces that the file makes. */
  readonly brought: ReadonlySet<string | undefined>;
  readonly warn: (warning: string) => void;
}

export interface Stored {
  readonly metadata: ObjectMeta;
}

export interface Applied {
  readonly before?: Stored;
  readonly after: Stored;
}

export async function applyDry(request: Request, manifest: Manifest): Promise<Applied> {
  const { client, wanted, brought } = request;
  const kind = PLANNED_KINDS.get(manifest.kind) as PlannedKind;
  const { name, namespace = wanted ?? 'default' } = manifest.metadata ?? {};
  if (wanted !== undefined && wanted !== namespace)
    throw new Refused(`${manifest.kind} ${name}: metadata.namespace is ${namespace}, -n says ${wanted}`);
  const path = pathOf(kind, namespace);
  const own = `${path}/${encodeURIComponent(name ?? '')}`;
  const before = name ? await getOrNothing<Stored>(client, own) : undefined;
  if (before) return { before, after: await dryRun(request, 'PUT', own, mergedWith(kind, before, manifest)) };
  const space = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const isBrought = brought.has(namespace) && !(await getOrNothing(client, space));
  const after = isBrought
    ? await dryRunElsewhere(request, kind, manifest)
    : await dryRun(request, 'POST', path, manifest);
  return { after };
}

const pathOf = ({ group, plural }: PlannedKind, namespace: string): string =>
  `${group}/namespaces/${encodeURIComponent(namespace)}/${plural}`;

/** In a namespace that is there, under a name that is free in it: the file makes its own first. */
async function dryRunElsewhere(request: Request, kind: PlannedKind, manifest: Manifest): Promise<Stored> {
  const { name, namespace, ...metadata } = manifest.metadata ?? {};
  const path = pathOf(kind, 'default');
  const taken = name && (await getOrNothing(request.client, `${path}/${encodeURIComponent(name)}`));
  const named = taken ? { ...metadata, generateName: `${name}-` } : { ...metadata, name };
  const applied = await dryRun(request, 'POST', path, { ...manifest, metadata: named });
  return { ...applied, metadata: { ...applied.metadata, name, namespace } as ObjectMeta };
}

function mergedWith({ schema }: PlannedKind, current: Stored, manifest: Manifest): object {
  const { resourceVersion: _any, ...metadata } = current.metadata;
  const lastApplied = metadata.annotations?.[LAST_APPLIED];
  const merged = applyManifest(schema, { ...current, metadata }, manifest, parseOrNothing(lastApplied));
  if ('problem' in merged) throw new Refused(`${manifest.kind} ${current.metadata.name}: ${merged.problem}`);
  return merged.value as object;
}

function parseOrNothing(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As strict as kubectl apply: a field that nobody knows is refused. */
async function dryRun(
  { client, warn }: Request,
  method: 'PUT' | 'POST',
  path: string,
  body: object,
): Promise<Stored> {
  try {
    const query = '?dryRun=All&fieldValidation=Strict';
    return (await client.call(method, `${path}${query}`, body, warn)) as Stored;
  } catch (error) {
    if (error instanceof ApiFailure && error.code >= 400 && error.code < 500 && error.code !== 401)
      throw new Refused(error.message);
    throw error;
  }
}
