// Many seeds at once, on every processor of this machine: each worker takes the next seed when it is done with one.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type RunOptions, type RunResult, run } from './run.ts';

export interface Workers {
  /** Answers those that broke a law, by seed; of the others nothing is kept. */
  readonly runMany: (all: readonly RunOptions[], stopAfter?: number) => Promise<readonly RunResult[]>;
  readonly end: () => Promise<void>;
}

/** They stay from one call to the next: the first run of each is slow. */
export function createWorkers(): Workers {
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const take = (): Worker => {
    const worker = idle.pop() ?? new Worker(new URL(import.meta.url));
    all.add(worker);
    return worker;
  };

  const work = async (waiting: RunOptions[], broken: RunResult[], stopAfter: number) => {
    const worker = take();
    for (let next = waiting.pop(); next && broken.length < stopAfter; next = waiting.pop()) {
      worker.postMessage(next);
      const [result] = (await once(worker, 'message')) as [RunResult];
      if (result.broken) broken.push(result);
    }
    idle.push(worker);
  };

  return {
    runMany: async (options, stopAfter = 10) => {
      const waiting = [...options].reverse();
      const broken: RunResult[] = [];
      const count = Math.min(availableParallelism(), options.length);
      await Promise.all(Array.from({ length: count }, () => work(waiting, broken, stopAfter)));
      return broken.sort((a, b) => a.seed - b.seed);
    },
    end: async () => {
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}

if (!isMainThread)
  parentPort?.on('message', (options: RunOptions) => {
    void run(options).then((result) =>
      parentPort?.postMessage(result.broken ? result : { ...result, lines: [] }),
    );
  });
