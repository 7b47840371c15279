// fleetset rollout status|pause|resume|approve|retry DAEMONSET
import { setTimeout as wait } from 'node:timers/promises';
import { type ApiClient, ApiFailure, findKubeconfig, openApiClient } from '../api-client.ts';
import { parseDuration, parseFlags, textFlag } from '../options.ts';
import { createRedraw } from '../redraw.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import type { Command, CommandContext } from './command.ts';
import {
  changedText,
  describeRollout,
  exitCodeOf,
  type NodePlacement,
  type RolloutStatus,
  type RolloutText,
  screenLines,
  wholeText,
} from './describe-rollout.ts';

const POLL_MS = 500;
const DEFAULT_TIMEOUT_MS = 3_600_000;

export const rolloutCommand: Command = {
  help: `Usage: fleetset rollout status DAEMONSET [-n NAMESPACE] [--no-watch] [--timeout 1h]
       fleetset rollout pause|resume|approve|retry DAEMONSET [-n NAMESPACE]

status   shows each node, its revision, where it stands and what it waits for, until the rollout is complete (exit
         code 0), has failed (1) or the time is over (1): on a terminal a table that is redrawn, elsewhere what
         changes; --no-watch shows it once. Under updateStrategy OnDelete nothing is waited for: 1 until all have it
pause    moves no node any more, until resume
approve  lets the step begin that waits for approval (approval: Manual in the RolloutPolicy); a retry, and an undo
         and the same revision again, ask anew
retry    tries a revision again that has failed

History and undo: kubectl rollout history|undo|restart daemonset/NAME.

  -n, --namespace NAMESPACE  of the DaemonSet (default: default)
  --no-watch                 with status: once
  --timeout DURATION         with status: how long to wait (default: 1h)
  --kubeconfig FILE          how to reach the plane (default: $KUBECONFIG, then ~/.kube/config)`,
  run: async ({ args, environment, print, terminal }) => {
    const parsed = parseFlags(
      args,
      {
        namespace: { type: 'string', short: 'n' },
        'no-watch': { type: 'boolean' },
        timeout: { type: 'string' },
        kubeconfig: { type: 'string' },
      },
      2,
    );
    const [verb = '', given] = parsed.positionals;
    const act = VERBS[verb];
    if (verb !== 'status' && !act)
      throw new UsageError('say what: fleetset rollout status|pause|resume|approve|retry DAEMONSET');
    if (!given) throw new UsageError(`give a DaemonSet: fleetset rollout ${verb} DAEMONSET`);
    const subject: Subject = {
      client: openApiClient(findKubeconfig(textFlag(parsed, 'kubeconfig'), environment)),
      namespace: textFlag(parsed, 'namespace') ?? 'default',
      name: given.replace(/^(ds|daemonset|daemonsets)(\.apps)?\//, ''),
    };
    if (act) {
      print(await act(subject));
      return 0;
    }
    const timeout = textFlag(parsed, 'timeout');
    const timeoutMs = timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDuration('--timeout', timeout);
    if (parsed.values['no-watch'] === true)
      return watchStatus(subject, (text) => print(wholeText(text)), undefined);
    return watchStatus(subject, shower({ print, ...(terminal ? { terminal } : {}) }), timeoutMs);
  },
};

interface Subject {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly name: string;
}

const VERBS: { readonly [verb: string]: (subject: Subject) => Promise<string> } = {
  pause: async (subject) => {
    await annotate(subject, { 'fleetset.dev/paused': 'true' });
    return `daemonset.apps/${subject.name} paused`;
  },
  resume: async (subject) => {
    await annotate(subject, { 'fleetset.dev/paused': null });
    return `daemonset.apps/${subject.name} resumed`;
  },
  approve: async (subject) => {
    const { awaitsApproval, newestRevision, step = 0, stepName, attempt } = await rolloutOf(subject);
    if (!awaitsApproval) throw new CommandFailed(`no step of ${subject.name} waits for approval`);
    await annotate(subject, { 'fleetset.dev/approved-steps': `${newestRevision}/${step}/${attempt}` });
    return `daemonset.apps/${subject.name}: step ${stepName} approved`;
  },
  retry: async (subject) => {
    const { phase = '', newestRevision } = await rolloutOf(subject);
    if (!['Stopped', 'RollingBack', 'RolledBack'].includes(phase))
      throw new CommandFailed(`the rollout of ${subject.name} has not failed: it is ${phase}`);
    await annotate(subject, { 'fleetset.dev/retry': `${newestRevision}/${new Date().toISOString()}` });
    return `daemonset.apps/${subject.name}: revision ${newestRevision} is tried again`;
  },
};

async function annotate(
  { client, namespace, name }: Subject,
  annotations: { readonly [key: string]: string | null },
): Promise<void> {
  const path = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/daemonsets/${encodeURIComponent(name)}`;
  await client.call('PATCH', path, { metadata: { annotations } });
}

const base = (namespace: string) => `/apis/fleetset.dev/v1/namespaces/${encodeURIComponent(namespace)}`;

async function rolloutOf({ client, namespace, name }: Subject): Promise<RolloutStatus> {
  try {
    const path = `${base(namespace)}/rollouts/${encodeURIComponent(name)}`;
    return ((await client.call('GET', path)) as { status: RolloutStatus }).status;
  } catch (error) {
    if (error instanceof ApiFailure && error.code === 404)
      throw new CommandFailed(
        `there is no DaemonSet ${name} in namespace ${namespace} (-n NAMESPACE for another one)`,
      );
    throw error;
  }
}

async function placementsOf({ client, namespace, name }: Subject): Promise<NodePlacement[]> {
  const selector = encodeURIComponent(`spec.daemonSetName=${name}`);
  const path = `${base(namespace)}/placements?fieldSelector=${selector}`;
  const { items } = (await client.call('GET', path)) as { items: NodePlacement[] };
  return items.filter(({ status }) => status.decision === 'Run');
}

async function watchStatus(
  subject: Subject,
  show: (text: RolloutText) => void,
  timeoutMs: number | undefined,
): Promise<number> {
  const until = performance.now() + (timeoutMs ?? 0);
  for (;;) {
    const rollout = await rolloutOf(subject);
    show(describeRollout(subject.name, rollout, await placementsOf(subject)));
    const exitCode = exitCodeOf(rollout);
    if (exitCode !== undefined) return exitCode;
    if (timeoutMs === undefined) return 0;
    if (performance.now() > until) throw new CommandFailed(`not complete in ${timeoutMs / 1000} s`);
    await wait(POLL_MS);
  }
}

/** On a terminal one table that is drawn anew; elsewhere, a line for each change. */
function shower({
  print,
  terminal,
}: Pick<CommandContext, 'print' | 'terminal'>): (text: RolloutText) => void {
  if (terminal) {
    const redraw = createRedraw(terminal.write);
    return (text) => redraw(screenLines(text, terminal.size()));
  }
  let before: RolloutText | undefined;
  return (text) => {
    const news = changedText(before, text);
    if (news !== undefined) print(news);
    before = text;
  };
}
