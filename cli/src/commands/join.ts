// fleetset join
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { JoinFailed, joinPlane } from '@fleetset/agent/identity/join-plane';
import { PlaneError } from '@fleetset/agent/sync/plane-client';
import { parseFlags, readConfig, textFlag, textKey } from '../options.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import { AGENT_KEYS, DEFAULT_AGENT_DIR, nodeNameOf } from './agent-settings.ts';
import type { Command } from './command.ts';

const SYSTEM_CONFIG = '/etc/fleetset/agent.yaml';
const UNIT = 'fleetset-agent.service';

export const joinCommand: Command = {
  help: `Usage: fleetset join HOST:PORT --token TOKEN --ca-hash sha256:HASH [flags]

Joins the fleet whose plane's agents dial HOST:PORT. The whole line is printed by
'fleetset token create --print-join-command'. The plane is believed only if its CA has the hash given.
Where the systemd unit fleetset-agent is installed, the agent is started afterwards.

  --token TOKEN      a bootstrap token
  --ca-hash HASH     sha256:HEX of the public key of the plane's CA
  --node-name NAME   the node's name (default: nodeName of ${SYSTEM_CONFIG}, else the host name)
  --data-dir DIR     the agent's directory (default ${DEFAULT_AGENT_DIR})`,
  run: async ({ args, print }) => {
    const parsed = parseFlags(
      args,
      {
        token: { type: 'string' },
        'ca-hash': { type: 'string' },
        'node-name': { type: 'string' },
        'data-dir': { type: 'string' },
      },
      1,
    );
    const [planeAddress] = parsed.positionals;
    const token = textFlag(parsed, 'token');
    const caHash = textFlag(parsed, 'ca-hash');
    if (!planeAddress || !token || !caHash)
      throw new UsageError('give HOST:PORT of the plane, --token and --ca-hash');
    const config = readConfig(existsSync(SYSTEM_CONFIG) ? SYSTEM_CONFIG : undefined, AGENT_KEYS);
    const nodeName = nodeNameOf(parsed, config);
    const dataDir = textFlag(parsed, 'data-dir') ?? textKey(config, 'dataDir') ?? DEFAULT_AGENT_DIR;
    try {
      await joinPlane({ planeAddress, token, caHash, nodeName, dataDir });
    } catch (error) {
      if (error instanceof JoinFailed || error instanceof PlaneError)
        throw new CommandFailed(`not joined: ${error.message}`);
      throw error;
    }
    print(`This machine is now node ${nodeName} of the plane at ${planeAddress}.`);
    print((await startUnit(dataDir)) ?? `Start its agent: fleetset agent --data-dir ${dataDir}`);
    return 0;
  },
};

/** Undefined where systemd does not know the unit. */
async function startUnit(dataDir: string): Promise<string | undefined> {
  if (dataDir !== DEFAULT_AGENT_DIR || !existsSync('/run/systemd/system')) return undefined;
  const run = promisify(execFile);
  try {
    await run('systemctl', ['cat', UNIT]);
  } catch {
    return undefined;
  }
  try {
    await run('systemctl', ['enable', UNIT]);
    await run('systemctl', ['restart', UNIT]);
    return `Its agent runs as ${UNIT}.`;
  } catch (error) {
    return `Its agent could not be started (${(error as Error).message.trim()}): see 'journalctl -u ${UNIT}'.`;
  }
}
