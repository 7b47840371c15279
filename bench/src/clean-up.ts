// What a bench has to undo, the last first: at its end, when it fails, and when it is told to end.

export interface CleanUp {
  readonly add: (undo: () => Promise<unknown> | unknown) => void;
  /** Once, however often it is called. */
  readonly run: () => Promise<void>;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export function startCleanUp(): CleanUp {
  const undoes: (() => Promise<unknown> | unknown)[] = [];
  let running: Promise<void> | undefined;

  const all = async () => {
    for (let undo = undoes.pop(); undo; undo = undoes.pop()) {
      try {
        await undo();
      } catch (error) {
        process.exitCode = 1;
        console.error('clean-up:', error);
      }
    }
  };
  const run = () => {
    running ??= all();
    return running;
  };
  for (const [signal, code] of Object.entries(EXIT_CODES))
    process.on(signal, () => void run().then(() => process.exit(code)));
  process.on('uncaughtException', (error) => {
    console.error(error);
    void run().then(() => process.exit(1));
  });
  return { add: (undo) => void undoes.push(undo), run };
}
