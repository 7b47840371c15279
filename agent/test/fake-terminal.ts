// A command in a container of the fake engine: says what its program says, and `cat` says what it is told.
import { createByteQueue } from '@fleetset/proto/byte-queue';
import type { Terminal } from '../src/runtime/terminal.ts';
import { programOf } from './test-programs.ts';

/** One after the other reads it, as a pipe does; what it holds at most is a pipe's too. */
const PIPE_BYTES = 64 * 1024;

export function fakeTerminal(command: readonly string[]): Terminal {
  const program = programOf(command);
  let taken = () => {};
  const output = createByteQueue(() => taken());
  for (const line of program.writes ?? []) output.push(Buffer.from(`${line}\n`));
  if (program.exits !== undefined) output.end();
  return {
    output: (async function* () {
      for await (const data of output) yield { stderr: false, data };
    })(),
    write: async (data) => {
      if (command[0] !== 'cat') return;
      output.push(data);
      while (output.waiting() > PIPE_BYTES)
        await new Promise<void>((resolve) => {
          taken = resolve;
        });
    },
    endInput: () => {
      if (command[0] === 'cat') output.end();
    },
    resize: async () => {},
    exitCode: async () => program.exits ?? 0,
    leave: () => output.end(),
  };
}
