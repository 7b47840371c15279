// fleetset hold --for DURATION --reason TEXT, and the list of holds
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { machineTime } from '@fleetset/agent/facts/machine-facts';
import { type HoldFile, holdDirectory, readHolds, writeHold } from '@fleetset/agent/holds/hold-file';
import { holdLeftMs, holdProblem, LONGEST_HOLD_MS } from '@fleetset/scheduler-core/node/hold';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import { parseDuration, parseFlags, textFlag } from '../options.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import { DEFAULT_AGENT_DIR } from './agent-settings.ts';
import type { Command } from './command.ts';

const LONGEST = `${LONGEST_HOLD_MS / 3_600_000}h`;

export const holdCommand: Command = {
  help: `Usage: fleetset hold --for DURATION --reason TEXT [--owner NAME]
       fleetset hold --list

Keeps the pods that run on this machine as they are: until the hold is over or its owner says 'fleetset release', its
agent replaces none of them by another revision, also when that was granted before, and whether or not the plane can be
reached. What crashes is restarted, what is deleted goes, and a DaemonSet without a pod here gets one. The rollout goes
on elsewhere and comes back to this node. Each owner has one hold; another one takes the place of the one before.

  --for DURATION    how long, such as 30m or 2h; at most ${LONGEST}
  --reason TEXT     why: shown wherever somebody asks why the node waits
  --owner NAME      whose hold it is (default: who you are, also under sudo)
  --list            show the holds there are
  --data-dir DIR    the agent's (default ${DEFAULT_AGENT_DIR}; of 'fleetset up' the folder agent in its own)`,
  run: async ({ args, environment, print }) => {
    const parsed = parseFlags(args, {
      for: { type: 'string' },
      reason: { type: 'string' },
      owner: { type: 'string' },
      list: { type: 'boolean' },
      'data-dir': { type: 'string' },
    });
    const directory = openHoldDirectory(textFlag(parsed, 'data-dir'));
    const [lasts, reason] = [textFlag(parsed, 'for'), textFlag(parsed, 'reason')];
    if (parsed.values.list === true) {
      if (lasts !== undefined || reason !== undefined) throw new UsageError('--list stands alone');
      for (const line of listed(await readHolds(directory))) print(line);
      return 0;
    }
    if (lasts === undefined || reason === undefined)
      throw new UsageError(
        `give ${lasts === undefined ? '--for' : '--reason'}: a hold has an end and a reason`,
      );
    const machine = machineTime();
    const hold = {
      owner: textFlag(parsed, 'owner') ?? ownName(environment),
      reason,
      forMs: parseDuration('--for', lasts),
      setAt: Date.now(),
      ...(machine.bootId === '' ? {} : { machine }),
    };
    const problem = holdProblem(hold);
    if (problem) throw new UsageError(`--${problem}`);
    await writeHold(directory, hold);
    print(`held by ${hold.owner} for ${lasts}, until ${utcText(hold.setAt + hold.forMs)}: ${reason}`);
    return 0;
  },
};

/** The agent of this machine has to have been there. */
export function openHoldDirectory(dataDir = DEFAULT_AGENT_DIR): string {
  if (!existsSync(dataDir))
    throw new CommandFailed(
      `there is no agent's directory ${dataDir} on this machine: holds are set on the node itself (--data-dir for another one)`,
    );
  return holdDirectory(dataDir);
}

/** Who asked, not who runs it. */
export function ownName(environment: NodeJS.ProcessEnv): string {
  if (environment.SUDO_USER) return environment.SUDO_USER;
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 0}`;
  }
}

/** What the agent goes by; what it does not understand is shown, too. */
function listed(files: readonly HoldFile[]): readonly string[] {
  const now = { wallMs: Date.now(), machine: machineTime() };
  const lines = files.flatMap(({ name, hold, problem }) => {
    if (!hold) return [`${name} is no hold: ${problem}`];
    const leftMs = holdLeftMs(hold, now);
    return leftMs > 0 ? [`held by ${hold.owner} until ${utcText(now.wallMs + leftMs)}: ${hold.reason}`] : [];
  });
  return lines.length > 0 ? lines : ['nobody holds this node'];
}
