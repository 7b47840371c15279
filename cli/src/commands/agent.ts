// fleetset agent
import { AgentNotReady, startAgent } from '@fleetset/agent/agent';
import { machineTimeZone } from '@fleetset/agent/facts/machine-time-zone';
import { createLogger } from '../logger.ts';
import { createWatchdog, machineShutsDown, notifyReady, notifyStopsWithin } from '../notify-systemd.ts';
import { parseFlags, readConfig, textFlag, textKey } from '../options.ts';
import { runUntilSignal } from '../run-until-signal.ts';
import { CommandFailed } from '../usage-error.ts';
import {
  AGENT_FLAGS,
  AGENT_KEYS,
  configuredNodeName,
  DEFAULT_AGENT_DIR,
  ownSettings,
} from './agent-settings.ts';
import type { Command } from './command.ts';
import { DEFAULT_LOCAL_ADDRESS } from './node-settings.ts';

/** What stopping takes beyond the pods' grace. */
const SHUTDOWN_SLACK_MS = 10_000;

export const agentCommand: Command = {
  help: `Usage: fleetset agent [flags]

Runs the pods that belong on this machine, through Docker. SIGTERM leaves them running, unless systemd shuts the machine
down: then they are stopped by their grace.

  --config FILE                   YAML; docs/agent-settings.md lists its keys
  --data-dir DIR                  where identity and state live (default ${DEFAULT_AGENT_DIR})
  --node-labels K=V[,K=V...]      labels of this node, beside the automatic ones
  --register-with-taints K=V:EFFECT[,...]
                                  taints of this node
  --docker-socket PATH            the Docker engine (default /var/run/docker.sock)
  --local-address HOST:PORT       where it answers /healthz, /readyz, /metrics and /pods, to anybody (default
                                  ${DEFAULT_LOCAL_ADDRESS}; off: nowhere)
  --log-level LEVEL               trace, debug, info, warn or error (default info)

Labels and taints set here belong to the node: kubectl cannot change them. timeZone (such as Europe/Berlin; default: the
machine's) is the one that maintenance windows of RolloutPolicies are read in; maintenanceWindows, a list of schedule,
duration and timeZone, counts instead of them, for every DaemonSet.`,
  run: async ({ args, environment, version, print }) => {
    const parsed = parseFlags(args, AGENT_FLAGS);
    const config = readConfig(textFlag(parsed, 'config'), AGENT_KEYS);
    const settings = await ownSettings(parsed, config);
    const logger = createLogger(settings.logLevel, 'agent');
    const dataDir = textFlag(parsed, 'data-dir') ?? textKey(config, 'dataDir') ?? DEFAULT_AGENT_DIR;
    const wanted = configuredNodeName(parsed, config);
    const watchdog = createWatchdog(environment);
    try {
      const agent = await startAgent({
        ...settings,
        timeZone: machineTimeZone(environment.TZ),
        dataDir,
        version,
        logger,
        ...(watchdog ? { onPass: watchdog.passed } : {}),
      });
      watchdog?.start(agent.wake);
      if (wanted !== undefined && wanted !== agent.nodeName)
        logger.warn(`nodeName ${wanted} is ignored: this machine joined as ${agent.nodeName}`);
      print(`fleetset agent ready: node ${agent.nodeName}`);
      notifyReady(environment);
      return await runUntilSignal(logger, async (allow) => {
        watchdog?.stop();
        if (await machineShutsDown(environment)) {
          const limitMs = settings.node.shutdownGraceMs + SHUTDOWN_SLACK_MS;
          allow(limitMs);
          notifyStopsWithin(environment, limitMs + SHUTDOWN_SLACK_MS);
          await agent.shutDown();
        }
        await agent.stop();
      });
    } catch (error) {
      if (error instanceof AgentNotReady) throw new CommandFailed(error.message);
      throw error;
    }
  },
};
