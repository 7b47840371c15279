// fleetset up: plane and agent in one process, for one machine.
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AgentNotReady, startAgent } from '@fleetset/agent/agent';
import { identityDirectory, readIdentity } from '@fleetset/agent/identity/identity-files';
import { JoinFailed, joinPlane } from '@fleetset/agent/identity/join-plane';
import { writeDurable } from '@fleetset/agent/state/durable-file';
import { PlaneError } from '@fleetset/agent/sync/plane-client';
import { hostPort } from '@fleetset/plane/host-port';
import { caHashOf } from '@fleetset/plane/identity/authority';
import { type Plane, startPlane } from '@fleetset/plane/plane';
import type { Logger } from 'pino';
import { type ApiClient, openApiClient } from '../api-client.ts';
import { createLogger } from '../logger.ts';
import { notifyReady } from '../notify-systemd.ts';
import {
  parseFlags,
  parseHostMaybePort,
  parseHostPort,
  parseNames,
  readConfig,
  textFlag,
  textKey,
} from '../options.ts';
import { runUntilSignal } from '../run-until-signal.ts';
import { CommandFailed } from '../usage-error.ts';
import { AGENT_FLAGS, AGENT_KEYS, configuredNodeName, nodeNameOf, ownSettings } from './agent-settings.ts';
import type { Command } from './command.ts';
import { reachedAt, reachedFromPods, reachedHere } from './reached-at.ts';
import { createToken } from './token.ts';

export const upCommand: Command = {
  help: `Usage: fleetset up [flags]

A whole fleet of one: plane and agent in one process, state in one directory. Prints a line with the word ready when
kubectl works and the node is Ready. ^C or SIGTERM ends it and leaves the pods running. Other machines can join where
--agent-address lets them.

  --data-dir DIR             where everything lives (default /var/lib/fleetset)
  --kubeconfig FILE          where to write the kubeconfig (default DIR/kubeconfig)
  --api-address HOST:PORT    the API (default 127.0.0.1:6443)
  --agent-address HOST:PORT  what agents dial (default 127.0.0.1:6444: this machine alone; 0.0.0.0:6444 lets others
                             join)
  --advertise NAME[,NAME...] names and addresses other machines reach this one under; the first goes into the join
                             command and the kubeconfig, for what listens on more than loopback (default: the address
                             listened on; of 0.0.0.0 the host name for agents, 127.0.0.1 for the kubeconfig)
  --advertise-api HOST[:PORT] where pods reach the API (default: as for 'fleetset plane'; by 127.0.0.1, pods with a
                             network of their own do not: --api-address 0.0.0.0:6443 lets them)
  --node-name NAME           this machine's name in the fleet (default: the host name)
  --node-labels, --register-with-taints, --docker-socket, --local-address, --config, --log-level
                             as for 'fleetset agent'`,
  run: async ({ args, environment, version, print }) => {
    const parsed = parseFlags(args, {
      ...AGENT_FLAGS,
      kubeconfig: { type: 'string' },
      'api-address': { type: 'string' },
      'agent-address': { type: 'string' },
      advertise: { type: 'string' },
      'advertise-api': { type: 'string' },
    });
    const config = readConfig(textFlag(parsed, 'config'), AGENT_KEYS);
    const settings = await ownSettings(parsed, config);
    const dataDir = textFlag(parsed, 'data-dir') ?? textKey(config, 'dataDir') ?? '/var/lib/fleetset';
    const kubeconfig = textFlag(parsed, 'kubeconfig') ?? join(dataDir, 'kubeconfig');
    const api = parseHostPort('--api-address', textFlag(parsed, 'api-address') ?? '127.0.0.1:6443');
    const agents = parseHostPort('--agent-address', textFlag(parsed, 'agent-address') ?? '127.0.0.1:6444');
    const nodeName = nodeNameOf(parsed, config);
    const advertise = parseNames('--advertise', textFlag(parsed, 'advertise')) ?? [];
    const agentHost = reachedAt(agents, advertise[0], hostname());
    const advertiseApi = textFlag(parsed, 'advertise-api') ?? reachedFromPods(api, advertise);
    const logger = createLogger(settings.logLevel);
    const plane = await startPlane({
      dataDir: join(dataDir, 'plane'),
      api,
      agents,
      advertise: [
        reachedAt(api, advertise[0], reachedHere(api)),
        agentHost,
        reachedHere(api),
        reachedHere(agents),
        ...advertise,
      ],
      agentHost,
      advertiseApi: parseHostMaybePort('--advertise-api', advertiseApi),
      kubeconfig,
      nodeMonitorGraceMs: 40_000,
      version,
      logger: logger.child({ component: 'plane' }),
    });
    try {
      // Not by the advertised name, which this machine itself may not reach.
      const client = openApiClient(kubeconfig, `https://${hostPort(reachedHere(api), plane.apiPort)}`);
      const agentDir = join(dataDir, 'agent');
      const planeAddress = hostPort(reachedHere(agents), plane.agentPort);
      if (!(await hasJoined(client, agentDir, planeAddress, configuredNodeName(parsed, config))))
        await joinAs(nodeName, client, agentDir, planeAddress);
      const agentLogger = logger.child({ component: 'agent' });
      const agent = await startAgent({ ...settings, dataDir: agentDir, version, logger: agentLogger });
      if (agent.nodeName !== nodeName)
        logger.warn(`this machine is called ${nodeName} now; its node stays ${agent.nodeName}`);
      const stop = async () => {
        await agent.stop();
        await plane.stop();
      };
      const ended = runUntilSignal(logger, stop);
      void waitUntilReady(client, plane, agent.nodeName, logger).then(() => {
        print(`fleetset is ready: node ${agent.nodeName}, API at ${client.server}`);
        print(`  export KUBECONFIG=${kubeconfig}`);
        notifyReady(environment);
      });
      return await ended;
    } catch (error) {
      await plane.stop();
      const known = [AgentNotReady, JoinFailed, PlaneError].some((kind) => error instanceof kind);
      throw known ? new CommandFailed((error as Error).message) : error;
    }
  },
};

/** If it has, where the plane is now is written down. */
async function hasJoined(
  client: ApiClient,
  dataDir: string,
  planeAddress: string,
  wantedName: string | undefined,
): Promise<boolean> {
  const identity = await readIdentity(dataDir);
  if (!identity) return false;
  const { nodeName, caCertificate } = identity;
  if (caHashOf(caCertificate) !== caHashOf(client.caCertificate))
    throw new CommandFailed(
      `${dataDir} belongs to a machine that joined another plane: give another --data-dir`,
    );
  if (wantedName !== undefined && wantedName !== nodeName)
    throw new CommandFailed(
      `${dataDir} belongs to node ${nodeName}, which cannot be renamed to ${wantedName}: start it as ${nodeName}, or give another --data-dir`,
    );
  if (identity.planeAddress !== planeAddress)
    await writeDurable(join(identityDirectory(dataDir), 'plane'), `${planeAddress}\n`, 0o644);
  return true;
}

/** By the same way as any other machine; a token of one minute, taken back at once. */
async function joinAs(
  nodeName: string,
  client: ApiClient,
  dataDir: string,
  planeAddress: string,
): Promise<void> {
  const token = await createToken(client, 60_000);
  try {
    await joinPlane({ planeAddress, token, caHash: caHashOf(client.caCertificate), nodeName, dataDir });
  } finally {
    const id = token.slice(0, token.indexOf('.'));
    await client.call('DELETE', `/api/v1/namespaces/kube-system/secrets/bootstrap-token-${id}`);
  }
}

const POLL_MS = 50;
const SAY_EVERY_MS = 10_000;

interface NodeAnswer {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
  };
}

async function waitUntilReady(
  client: ApiClient,
  plane: Plane,
  nodeName: string,
  logger: Logger,
): Promise<void> {
  let saidAt = Date.now();
  for (;;) {
    const node = (await client.call('GET', `/api/v1/nodes/${nodeName}`).catch(() => ({}))) as NodeAnswer;
    const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
    // What the plane remembers from before counts only once the agent has said it again.
    if (ready?.status === 'True' && plane.hasHeard(nodeName)) return;
    if (Date.now() - saidAt > SAY_EVERY_MS) {
      saidAt = Date.now();
      logger.warn(`the node is not ready yet: ${ready?.message ?? 'it has not reported'}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
