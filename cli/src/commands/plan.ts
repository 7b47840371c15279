// fleetset plan -f FILE
import { applyManifest, LAST_APPLIED } from '@fleetset/scheduler-core/patch/apply-manifest';
import { type DaemonSet, daemonSet as schema } from '@fleetset/scheduler-core/schema/daemon-set';
import { type ApiClient, ApiFailure, findKubeconfig, openApiClient } from '../api-client.ts';
import { parseFlags, textFlag } from '../options.ts';
import { describePlan } from '../plan/describe-plan.ts';
import { type DaemonSetPlan, planDaemonSet } from '../plan/plan-daemon-set.ts';
import { type Fleet, getOrNothing, readFleet, readRunning } from '../plan/read-fleet.ts';
import { type Manifest, readManifests } from '../plan/read-manifests.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import type { Command } from './command.ts';

export const planCommand: Command = {
  help: `Usage: fleetset plan -f FILE [-n NAMESPACE]

Shows what applying the DaemonSets of FILE would do, and changes nothing: which fields change, which nodes would run
it, which not and why, and in which order nodes would be updated if all went well: the steps of its RolloutPolicy, and
in each step the nodes that move together. The plane checks and completes each DaemonSet as if it were applied. What
else is in FILE is named, and not planned. Exit code 1 when a DaemonSet would be refused.

  -f, --filename FILE        YAML or JSON, any number of documents; - for standard input
  -n, --namespace NAMESPACE  of DaemonSets that name none (default: default)
  --kubeconfig FILE          how to reach the plane (default: $KUBECONFIG, then ~/.kube/config)`,
  run: async ({ args, environment, print }) => {
    const parsed = parseFlags(args, {
      filename: { type: 'string', short: 'f' },
      namespace: { type: 'string', short: 'n' },
      kubeconfig: { type: 'string' },
    });
    const file = textFlag(parsed, 'filename');
    if (file === undefined) throw new UsageError('give a file: fleetset plan -f FILE');
    const namespace = textFlag(parsed, 'namespace');
    const manifests = readManifests(file);
    const client = openApiClient(findKubeconfig(textFlag(parsed, 'kubeconfig'), environment));
    const isPlanned = ({ kind }: Manifest) => kind === 'DaemonSet';
    const refusals: string[] = [];
    if (manifests.some(isPlanned)) {
      const request = {
        client,
        fleet: await readFleet(client),
        wanted: namespace,
        brought: new Set(manifests.filter(({ kind }) => kind === 'Namespace').map(nameOf)),
        warn: (warning: string) => print(`Warning: ${warning}`),
      };
      for (const manifest of manifests.filter(isPlanned)) {
        try {
          print(`${describePlan(await planOf(request, manifest))}\n`);
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          refusals.push(error.message);
        }
      }
    }
    for (const manifest of manifests.filter((one) => !isPlanned(one)))
      print(`${manifest.kind} ${nameOf(manifest) ?? ''}: not planned, only DaemonSets are`);
    if (refusals.length > 0) throw new CommandFailed(refusals.join('; '));
    return 0;
  },
};

const nameOf = ({ metadata }: Manifest): string | undefined => metadata?.name;

/** The plane would not take it. */
class Refused extends Error {}

interface Request {
  readonly client: ApiClient;
  readonly fleet: Fleet;
  /** What -n says. */
  readonly wanted: string | undefined;
  /** Namespaces that the file makes. */
  readonly brought: ReadonlySet<string | undefined>;
  readonly warn: (warning: string) => void;
}

const setsOf = (namespace: string) => `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/daemonsets`;

async function planOf(request: Request, manifest: Manifest): Promise<DaemonSetPlan> {
  const { client, fleet, wanted, brought } = request;
  const { name, namespace = wanted ?? 'default' } = manifest.metadata ?? {};
  if (wanted !== undefined && wanted !== namespace)
    throw new Refused(`DaemonSet ${name}: metadata.namespace is ${namespace}, -n says ${wanted}`);
  const path = setsOf(namespace);
  const own = `${path}/${encodeURIComponent(name ?? '')}`;
  const current = name ? await getOrNothing<Stored>(client, own) : undefined;
  if (current) {
    const applied = await dryRun(request, 'PUT', own, mergedWith(current, manifest));
    return planDaemonSet(applied, { current, running: await readRunning(client, current) }, fleet);
  }
  const space = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const applied =
    brought.has(namespace) && !(await getOrNothing(client, space))
      ? await dryRunElsewhere(request, manifest)
      : await dryRun(request, 'POST', path, manifest);
  return planDaemonSet(applied, undefined, fleet);
}

/** In a namespace that is there, under a name that is free in it: the file makes its own first. */
async function dryRunElsewhere(request: Request, manifest: Manifest): Promise<DaemonSet> {
  const { name, namespace, ...metadata } = manifest.metadata ?? {};
  const taken =
    name && (await getOrNothing(request.client, `${setsOf('default')}/${encodeURIComponent(name)}`));
  const named = taken ? { ...metadata, generateName: `${name}-` } : { ...metadata, name };
  const applied = await dryRun(request, 'POST', setsOf('default'), { ...manifest, metadata: named });
  return { ...applied, metadata: { ...applied.metadata, name, namespace } as DaemonSet['metadata'] & object };
}

type Stored = DaemonSet & { readonly metadata: NonNullable<DaemonSet['metadata']> };

function mergedWith(current: Stored, manifest: Manifest): object {
  const { resourceVersion: _any, ...metadata } = current.metadata;
  const lastApplied = metadata.annotations?.[LAST_APPLIED];
  const merged = applyManifest(schema, { ...current, metadata }, manifest, parseOrNothing(lastApplied));
  if ('problem' in merged) throw new Refused(`DaemonSet ${current.metadata.name}: ${merged.problem}`);
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
): Promise<DaemonSet> {
  try {
    const query = '?dryRun=All&fieldValidation=Strict';
    return (await client.call(method, `${path}${query}`, body, warn)) as DaemonSet;
  } catch (error) {
    if (error instanceof ApiFailure && error.code >= 400 && error.code < 500 && error.code !== 401)
      throw new Refused(error.message);
    throw error;
  }
}
