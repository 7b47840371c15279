// Many seeds at once, on every processor of this machine: each worker takes the next seed when it is done with one.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type RunOptions, type RunResult, run } from './run.ts';

/** Answers those that broke a law, by seed; of the others nothing is kept. */
export async function runMany(all: readonly RunOptions[], stopAfter = 10): Promise<readonly RunResult[]> {
  const waiting = [...all].reverse();
  const broken: RunResult[] = [];
  const workers = Math.min(availableParallelism(), all.length);
  await Promise.all(Array.from({ length: workers }, () => work(waiting, broken, stopAfter)));
  return broken.sort((a, b) => a.seed - b.seed);
}

async function work(waiting: RunOptions[], broken: RunResult[], stopAfter: number): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  try {
    for (let next = waiting.pop(); next && broken.length < stopAfter; next = waiting.pop()) {
      worker.postMessage(next);
      const [result] = (await once(worker, 'message')) as [RunResult];
      if (result.broken) broken.push(result);
    }
  } finally {
    await worker.terminate();
  }
}

if (!isMainThread)
  parentPort?.on('message', (options: RunOptions) => {
    void run(options).then((result) =>
      parentPort?.postMessage(result.broken ? result : { ...result, lines: [] }),
    );
  });
