// fleetset why NODE DAEMONSET
import { ApiFailure, findKubeconfig, openApiClient } from '../api-client.ts';
import { parseFlags, textFlag } from '../options.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import type { Command } from './command.ts';

interface Placement {
  readonly status?: {
    readonly decision?: string;
    readonly decidedBy?: string;
    readonly reasons?: readonly { readonly code: string; readonly message: string }[];
    readonly grantedRevision?: string;
    readonly newestRevision?: string;
    /** Silent: nothing is known of it now. */
    readonly state?: string;
    readonly held?: string;
    readonly closed?: string;
    readonly waiting?: string;
    readonly late?: string;
    readonly progress?: string;
  };
}

const MEANINGS: { readonly [decision: string]: string } = {
  Run: 'a pod belongs here',
  Keep: 'no new pod here, one that runs may stay',
  Leave: 'no pod may be here',
};

export const whyCommand: Command = {
  help: `Usage: fleetset why NODE DAEMONSET [-n NAMESPACE]

Shows the agent's own decision: which selector, which affinity, which taint; and, in a rollout, what it waits for.
Exit code 0 when a pod belongs on the node, 3 when not.

  -n, --namespace NAMESPACE  of the DaemonSet (default: default)
  --kubeconfig FILE          how to reach the plane (default: $KUBECONFIG, then ~/.kube/config)`,
  run: async ({ args, environment, print }) => {
    const parsed = parseFlags(
      args,
      {
        namespace: { type: 'string', short: 'n' },
        kubeconfig: { type: 'string' },
      },
      2,
    );
    const [node, given] = parsed.positionals;
    if (!node || !given) throw new UsageError('give a node and a DaemonSet: fleetset why NODE DAEMONSET');
    const daemonSet = given.replace(/^(ds|daemonset|daemonsets)(\.apps)?\//, '');
    const namespace = textFlag(parsed, 'namespace') ?? 'default';
    const client = openApiClient(findKubeconfig(textFlag(parsed, 'kubeconfig'), environment));
    const base = `/apis/fleetset.dev/v1/namespaces/${encodeURIComponent(namespace)}/placements`;
    let placement: Placement;
    try {
      placement = (await client.call(
        'GET',
        `${base}/${encodeURIComponent(`${daemonSet}.${node}`)}`,
      )) as Placement;
    } catch (error) {
      if (error instanceof ApiFailure && error.code === 404)
        throw new CommandFailed(await whatIsMissing(client, node, namespace, daemonSet));
      throw error;
    }
    for (const line of describePlacement(placement, node, namespace, daemonSet)) print(line);
    return placement.status?.decision === 'Run' ? 0 : 3;
  },
};

export function describePlacement(
  { status = {} }: Placement,
  node: string,
  namespace: string,
  daemonSet: string,
): string[] {
  const {
    decision = '',
    decidedBy,
    reasons = [],
    grantedRevision,
    newestRevision,
    state,
    held,
    closed,
    waiting,
    late,
    progress,
  } = status;
  const by =
    decidedBy === 'Agent'
      ? `decided by the agent of ${node}`
      : `the plane's reading: the agent of ${node} has not said`;
  return [
    `${decision}: ${MEANINGS[decision] ?? 'unknown'} (${namespace}/${daemonSet} on ${node}, ${by})`,
    ...reasons.map(({ code, message }) => `  ${code}: ${message}`),
    ...(newestRevision === undefined || decision === 'Leave'
      ? []
      : grantedRevision === newestRevision
        ? [`  Revision: ${newestRevision}, the newest`]
        : [`  Revision: ${grantedRevision ?? 'none yet'}; the newest is ${newestRevision}`]),
    ...(waiting ? [`  Waiting: ${waiting}`] : []),
    ...(late ? [`  Late: ${late}`] : []),
    // Also while there is nothing to wait for: the next change would.
    ...(held && held !== waiting ? [`  Held: ${held}`] : []),
    ...(closed && closed !== waiting ? [`  Closed: ${closed}`] : []),
    ...(progress ? [`  ${state === 'Silent' ? 'Last heard' : 'Now'}: ${progress}`] : []),
  ];
}

async function whatIsMissing(
  client: ReturnType<typeof openApiClient>,
  node: string,
  namespace: string,
  daemonSet: string,
): Promise<string> {
  const exists = async (path: string) => {
    try {
      await client.call('GET', path);
      return true;
    } catch {
      return false;
    }
  };
  if (!(await exists(`/api/v1/nodes/${encodeURIComponent(node)}`)))
    return `there is no node ${node} (kubectl get nodes)`;
  return `there is no DaemonSet ${daemonSet} in namespace ${namespace} (kubectl get daemonsets -A; -n NAMESPACE for another one)`;
}
