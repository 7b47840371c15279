// fleetset signing-key add | list | prune
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  addTokenKey,
  openTokenKeys,
  removeRetiredKey,
  retiredKeys,
} from '@fleetset/plane/identity/token-keys';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import { parseDurationWithin, parseFlags, textFlag } from '../options.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import type { Command } from './command.ts';

const FLAGS = { 'data-dir': { type: 'string' }, 'older-than': { type: 'string' } } as const;
const AGE_RANGE = ['0', '876000h'] as const;

export const signingKeyCommand: Command = {
  help: `Usage: fleetset signing-key add | list | prune --older-than DURATION

The keys that sign the tokens of service accounts, on the plane's machine. A running plane takes up within seconds
what changes here; no restart is needed.

  add                    makes a new key, which signs from now on; tokens of the older keys stay good until they expire
  list                   shows the keys whose tokens are good
  prune                  removes older keys, which voids what they signed; a Secret's token is then made anew
    --older-than DURATION  those that have not signed for so long: longer than any token lives

  --data-dir DIR         the plane's directory (default /var/lib/fleetset/plane)`,
  run: async ({ args, print }) => {
    const parsed = parseFlags(args, FLAGS, 1);
    const [verb] = parsed.positionals;
    const olderThan = textFlag(parsed, 'older-than');
    if (olderThan !== undefined && verb !== 'prune')
      throw new UsageError('--older-than is for signing-key prune');
    const directory = keysIn(textFlag(parsed, 'data-dir') ?? '/var/lib/fleetset/plane');
    switch (verb) {
      case 'add':
        print(addTokenKey(directory, utcText(Date.now())));
        return 0;
      case 'list':
        return list(directory, print);
      case 'prune': {
        if (olderThan === undefined) throw new UsageError('say which: --older-than DURATION');
        return prune(directory, parseDurationWithin('--older-than', olderThan, AGE_RANGE), print);
      }
      default:
        throw new UsageError('say what to do: signing-key add, signing-key list or signing-key prune');
    }
  },
};

function keysIn(dataDir: string): string {
  const directory = join(dataDir, 'pki');
  if (existsSync(join(directory, 'ca.key'))) return directory;
  throw new CommandFailed(
    `${dataDir} is not the directory of a plane: it has no pki/ca.key. Give --data-dir`,
  );
}

function list(directory: string, print: (line: string) => void): number {
  print(`${'ID'.padEnd(45)}SIGNED UNTIL`);
  print(`${openTokenKeys(directory).all()[0].id.padEnd(45)}now`);
  for (const { id, retiredAt } of retiredKeys(directory).reverse()) print(`${id.padEnd(45)}${retiredAt}`);
  return 0;
}

function prune(directory: string, ageMs: number, print: (line: string) => void): number {
  const before = Date.now() - ageMs;
  for (const { id, retiredAt } of retiredKeys(directory)) {
    // Without a time, which somebody's hand took out, nobody knows.
    if (!(Date.parse(retiredAt) <= before)) continue;
    removeRetiredKey(directory, id);
    print(`signing key ${id} removed`);
  }
  return 0;
}
