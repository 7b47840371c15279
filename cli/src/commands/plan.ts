// fleetset plan -f FILE
import { choosePolicy } from '@fleetset/scheduler-core/rollout/choose-policy';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import { type ApiClient, findKubeconfig, openApiClient } from '../api-client.ts';
import { parseFlags, textFlag } from '../options.ts';
import { type Applied, applyDry, PLANNED_KINDS, Refused, type Stored } from '../plan/apply-dry.ts';
import { describePlan } from '../plan/describe-plan.ts';
import {
  type Change,
  type ConfigChange,
  configChangesOf,
  type FileChanges,
  isChanged,
  isSame,
  policiesAt,
  rolledOut,
} from '../plan/file-changes.ts';
import { planDaemonSet } from '../plan/plan-daemon-set.ts';
import { type Fleet, readFleet, readRunning, readSets } from '../plan/read-fleet.ts';
import { type Manifest, readManifests } from '../plan/read-manifests.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import type { Command } from './command.ts';

export const planCommand: Command = {
  help: `Usage: fleetset plan -f FILE [-n NAMESPACE]

Shows what applying FILE would do, and changes nothing: of each DaemonSet which fields change, which nodes would run it,
which not and why, and in which order nodes would be updated if all went well: the steps of its RolloutPolicy, and in
each step the nodes that move together. RolloutPolicies, ConfigMaps and Secrets of FILE count as they will be; DaemonSets
that are not in FILE are shown when a change of their config is rolled out. The plane checks and completes each object as
if it were applied. What else is in FILE is named, and not planned. Exit code 1 when something would be refused.

  -f, --filename FILE        YAML or JSON, any number of documents; - for standard input
  -n, --namespace NAMESPACE  of objects that name none (default: default)
  --kubeconfig FILE          how to reach the plane (default: $KUBECONFIG, then ~/.kube/config)`,
  run: async ({ args, environment, print }) => {
    const parsed = parseFlags(args, {
      filename: { type: 'string', short: 'f' },
      namespace: { type: 'string', short: 'n' },
      kubeconfig: { type: 'string' },
    });
    const file = textFlag(parsed, 'filename');
    if (file === undefined) throw new UsageError('give a file: fleetset plan -f FILE');
    const manifests = readManifests(file);
    const isPlanned = ({ kind }: Manifest) => PLANNED_KINDS.has(kind);
    const refusals: string[] = [];
    if (manifests.some(isPlanned)) {
      const request = {
        client: openApiClient(findKubeconfig(textFlag(parsed, 'kubeconfig'), environment)),
        wanted: textFlag(parsed, 'namespace'),
        brought: new Set(manifests.filter(({ kind }) => kind === 'Namespace').map(nameOf)),
        warn: (warning: string) => print(`Warning: ${warning}`),
      };
      const changes: FileChange[] = [];
      for (const [at, manifest] of manifests.entries()) {
        if (!isPlanned(manifest)) continue;
        try {
          changes.push({ at, kind: manifest.kind, ...(await applyDry(request, manifest)) });
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          refusals.push(error.message);
        }
      }
      await printPlans(request.client, changes, print);
    }
    for (const manifest of manifests.filter((one) => !isPlanned(one)))
      print(`${manifest.kind} ${nameOf(manifest) ?? ''}: not planned`);
    if (refusals.length > 0) throw new CommandFailed(refusals.join('; '));
    return 0;
  },
};

const nameOf = ({ metadata }: Manifest): string | undefined => metadata?.name;

interface FileChange extends Applied {
  readonly at: number;
  readonly kind: string;
}

async function printPlans(
  client: ApiClient,
  changes: readonly FileChange[],
  print: (text: string) => void,
): Promise<void> {
  const of = <T>(...kinds: readonly string[]) =>
    changes.filter(({ kind }) => kinds.includes(kind)) as unknown as readonly T[];
  const file: FileChanges = {
    sets: of<Change<DaemonSet>>('DaemonSet'),
    policies: of<Change<RolloutPolicy>>('RolloutPolicy'),
    configs: of<ConfigChange>('ConfigMap', 'Secret'),
  };
  const fleet = await readFleet(client);
  const others = await setsBeside(client, file);
  const all = [...file.sets, ...others];
  const now = Date.now();
  for (const set of all) {
    if (others.includes(set) && rolledOut(set, fleet.policies, file).length === 0) continue;
    const running = set.before ? await readRunning(client, set.before as Stored) : undefined;
    print(`${describePlan(planDaemonSet(set, running, fleet, file, now))}\n`);
  }
  for (const { kind, after, ...change } of changes.filter(({ kind }) => kind !== 'DaemonSet')) {
    const { namespace, name } = after.metadata;
    const what =
      kind === 'RolloutPolicy'
        ? pacedBy(after, all, fleet, file)
        : usedBy({ ...change, kind, after } as ConfigChange, all, fleet, file);
    print(`${kind} ${namespace}/${name}: ${what}`);
  }
}

/** DaemonSets that the file leaves as they are, where it changes policies or config. */
async function setsBeside(client: ApiClient, file: FileChanges): Promise<Change<DaemonSet>[]> {
  const spaces = new Set([...file.policies, ...file.configs].map(({ after }) => after.metadata?.namespace));
  const sets: DaemonSet[] = [];
  for (const namespace of spaces) sets.push(...(await readSets(client, namespace ?? '')));
  return sets
    .filter((set) => !file.sets.some(({ after }) => isSame(after, set)))
    .map((set) => ({ at: Number.POSITIVE_INFINITY, before: set, after: set }));
}

const listed = (sets: readonly Change<DaemonSet>[]): string =>
  sets.length === 0 ? 'no DaemonSet' : sets.map(({ after }) => `ds/${after.metadata?.name}`).join(', ');

function pacedBy(policy: Stored, all: readonly Change<DaemonSet>[], fleet: Fleet, file: FileChanges): string {
  const policies = policiesAt(fleet.policies, file);
  const paced = all.filter(({ after }) => {
    const chosen = choosePolicy(after, policies);
    return chosen !== undefined && isSame(chosen, policy);
  });
  return `will pace ${listed(paced)}`;
}

function usedBy(change: ConfigChange, all: readonly Change<DaemonSet>[], fleet: Fleet, file: FileChanges) {
  if (!isChanged(change)) return 'unchanged';
  const users = all.filter((set) => configChangesOf(set, file).some(({ at }) => at === change.at));
  const rolled = users.filter((set) =>
    rolledOut(set, fleet.policies, file).some(({ at }) => at === change.at),
  );
  const live = users.filter((set) => set.before && !rolled.includes(set));
  const parts = [
    rolled.length > 0 ? `rolled out by ${listed(rolled)}` : '',
    live.length > 0 ? `followed by running pods of ${listed(live)} at once` : '',
  ].filter((part) => part !== '');
  const state = change.before ? 'changed' : 'new';
  return parts.length > 0 ? `${state}, ${parts.join('; ')}` : state;
}
