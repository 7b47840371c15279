// fleetset, the one command. The only reader of process.env and process.argv.
import type { Command, Terminal } from './commands/command.ts';
import { CommandFailed, UsageError } from './usage-error.ts';
import { VERSION } from './version.ts';

interface Entry {
  readonly name: string;
  readonly summary: string;
  /** Loaded when it is asked for: an agent carries no plane along. */
  readonly load: () => Promise<Command>;
}

const COMMANDS: readonly Entry[] = [
  {
    name: 'up',
    summary: 'Run plane and agent together on this machine',
    load: async () => (await import('./commands/up.ts')).upCommand,
  },
  {
    name: 'plane',
    summary: 'Run the control plane',
    load: async () => (await import('./commands/plane.ts')).planeCommand,
  },
  {
    name: 'agent',
    summary: 'Run the agent of this machine (after join)',
    load: async () => (await import('./commands/agent.ts')).agentCommand,
  },
  {
    name: 'join',
    summary: 'Make this machine a node of a fleet',
    load: async () => (await import('./commands/join.ts')).joinCommand,
  },
  {
    name: 'token',
    summary: 'Create, list and delete the tokens that machines join with',
    load: async () => (await import('./commands/token.ts')).tokenCommand,
  },
  {
    name: 'kubeconfig',
    summary: "Print the administrator's kubeconfig (on the plane's machine)",
    load: async () => (await import('./commands/kubeconfig.ts')).kubeconfigCommand,
  },
  {
    name: 'signing-key',
    summary: "Change the key that signs service accounts' tokens (on the plane's machine)",
    load: async () => (await import('./commands/signing-key.ts')).signingKeyCommand,
  },
  {
    name: 'plan',
    summary: 'Show what applying a DaemonSet would do: where it runs, what changes, in which order',
    load: async () => (await import('./commands/plan.ts')).planCommand,
  },
  {
    name: 'rollout',
    summary: 'Show, pause, resume, approve and retry the rollout of a DaemonSet',
    load: async () => (await import('./commands/rollout.ts')).rolloutCommand,
  },
  {
    name: 'hold',
    summary: 'Keep what runs on this machine as it is, for a while (on a node)',
    load: async () => (await import('./commands/hold.ts')).holdCommand,
  },
  {
    name: 'release',
    summary: 'End a hold on this machine',
    load: async () => (await import('./commands/release.ts')).releaseCommand,
  },
  {
    name: 'why',
    summary: 'Show what a node decided about a DaemonSet, and why',
    load: async () => (await import('./commands/why.ts')).whyCommand,
  },
];

const usage = (): string =>
  [
    'fleetset runs one pod on every eligible machine of a fleet, without Kubernetes.',
    '',
    'Usage: fleetset COMMAND [flags]',
    '',
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`),
    `  ${'version'.padEnd(12)}Print the version`,
    '',
    "'fleetset COMMAND --help' tells more. DaemonSets are applied with kubectl.",
  ].join('\n');

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`fleetset: ${line}\n`);

function terminal(): { terminal?: Terminal } {
  const { stdout, env } = process;
  if (!stdout.isTTY || env.TERM === 'dumb') return {};
  const size = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  return { terminal: { size, write: (text) => void stdout.write(text) } };
}

async function main(): Promise<number> {
  const [name, ...args] = process.argv.slice(2);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    print(usage());
    return name === undefined ? 2 : 0;
  }
  if (name === 'version' || name === '--version') {
    print(`fleetset ${VERSION}`);
    return 0;
  }
  const entry = COMMANDS.find((candidate) => candidate.name === name);
  if (!entry) {
    complain(`there is no command ${JSON.stringify(name)}; 'fleetset --help' lists them`);
    return 2;
  }
  const command = await entry.load();
  if (args.includes('--help') || args.includes('-h')) {
    print(command.help);
    return 0;
  }
  try {
    return await command.run({ args, environment: process.env, version: VERSION, print, ...terminal() });
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${error.message}\n'fleetset ${name} --help' shows how it is used`);
      return 2;
    }
    if (!(error instanceof CommandFailed) && !isExpected(error)) throw error;
    complain((error as Error).message);
    return 1;
  }
}

/** By name, because a command brings its own modules along. */
const SPEAK_FOR_THEMSELVES = new Set(['StoreFailure', 'BadAuthority', 'CannotListen']);

/** Failures of the machine that speak for themselves: a port in use, a directory that cannot be written. */
const isExpected = (error: unknown): boolean =>
  error instanceof Error &&
  (typeof (error as NodeJS.ErrnoException).code === 'string' || SPEAK_FOR_THEMSELVES.has(error.name));

process.exitCode = await main().catch((error: unknown) => {
  complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 1;
});
// What is still open (idle connections, timers) is not worth waiting for.
process.exit();
