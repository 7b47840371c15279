// `fleetset up` as a person runs it: a process, a data directory, a kubeconfig.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { type Ran, ROOT, type RunOptions, run, tryRun } from './run.ts';

export interface Embedded {
  readonly kubeconfig: string;
  readonly output: () => string;
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
  readonly tryKubectl: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  /** Waits for the line with the word ready. */
  readonly ready: () => Promise<void>;
  /** Answers the exit code. */
  readonly stop: (signal: NodeJS.Signals) => Promise<number>;
}

export function startUp(dataDir: string, flags: readonly string[] = []): Embedded {
  const kubeconfig = join(dataDir, 'kubeconfig');
  const child: ChildProcess = spawn(
    'hack/fleetset',
    ['up', '--data-dir', dataDir, '--kubeconfig', kubeconfig, '--node-name', 'solo', ...flags],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  const hear = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  const env = { KUBECONFIG: kubeconfig };
  return {
    kubeconfig,
    output: () => output,
    kubectl: (args, input = '') => run('hack/kubectl', args, { env, input }),
    tryKubectl: (args, options = {}) => tryRun('hack/kubectl', args, { ...options, env }),
    ready: async () => {
      await eventually('the line with the word ready', () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output}`);
        return /\bready\b.*node solo/.test(output);
      });
    },
    stop: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}
