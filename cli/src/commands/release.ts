// fleetset release
import { type HoldFile, readHolds, removeHold } from '@fleetset/agent/holds/hold-file';
import { parseFlags, textFlag } from '../options.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import type { Command } from './command.ts';
import { openHoldDirectory, ownName } from './hold.ts';

export const releaseCommand: Command = {
  help: `Usage: fleetset release [--owner NAME | --all]

Ends your hold on this machine; the others' stay. When no hold is left, the node follows the rollout again.

  --owner NAME      whose hold (default: yours, as with 'fleetset hold')
  --all             every hold there is
  --data-dir DIR    the agent's, as with 'fleetset hold'`,
  run: async ({ args, environment, print }) => {
    const parsed = parseFlags(args, {
      owner: { type: 'string' },
      all: { type: 'boolean' },
      'data-dir': { type: 'string' },
    });
    const directory = openHoldDirectory(textFlag(parsed, 'data-dir'));
    const given = textFlag(parsed, 'owner');
    const all = parsed.values.all === true;
    if (all && given !== undefined) throw new UsageError('give --owner or --all, not both');
    const owner = given ?? ownName(environment);
    const files = await readHolds(directory);
    const ended = files.filter(({ hold }) => all || hold?.owner === owner);
    if (ended.length === 0 && !all)
      throw new CommandFailed(`${owner} does not hold this node${othersOf(files)}`);
    for (const file of ended) {
      await removeHold(directory, file);
      print(`released: ${file.hold ? `the hold of ${file.hold.owner}` : file.name}`);
    }
    if (ended.length === 0) print('nobody holds this node');
    return 0;
  },
};

function othersOf(files: readonly HoldFile[]): string {
  const owners = [...new Set(files.flatMap(({ hold }) => hold?.owner ?? []))];
  return owners.length === 0 ? '' : `; there are holds of ${owners.join(', ')} (--owner)`;
}
