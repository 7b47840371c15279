// What only real Docker can show of a client in a container: streams apart, terminals and their size, the ends of input,
// and that nothing is left of a command whose client has gone.
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import { createDockerRuntime } from '../../src/runtime/docker-runtime.ts';
import type { CommandWanted, Terminal } from '../../src/runtime/terminal.ts';
import { removeContainersOf } from '../docker-engine.ts';
import { DOCKER_SOCKET } from '../engine-proxy.ts';
import { settings, uniqueOwner } from '../pods.ts';
import { OBEYS } from '../test-programs.ts';
import { until } from '../wait-until.ts';

const owner = uniqueOwner();
let runtime: ContainerRuntime;
let container: string;

beforeAll(async () => {
  runtime = createDockerRuntime({ socketPath: DOCKER_SOCKET, owner });
  container = await start();
});
afterAll(() => removeContainersOf(owner));

const start = async (over: Parameters<typeof settings>[1] = {}) => {
  const id = await runtime.create(settings(OBEYS, over));
  await runtime.start(id);
  return id;
};
const exec = async (script: string, over: Partial<CommandWanted> = {}): Promise<Terminal> => {
  const wanted = { command: ['sh', '-c', script], stdin: true, stdout: true, stderr: true, tty: false };
  return (await runtime.prepareCommand(container, { ...wanted, ...over }))();
};
async function all(terminal: Terminal) {
  let [out, err] = ['', ''];
  for await (const { stderr, data } of terminal.output)
    if (stderr) err += Buffer.from(data);
    else out += Buffer.from(data);
  return { out, err, exitCode: await terminal.exitCode() };
}
const running = async (what: string) =>
  (await runtime.exec(container, ['ps', '-o', 'args'], 60_000)).output
    .split('\n')
    .filter((line) => line.includes(what) && line.startsWith('sleep '));

describe('a command', () => {
  it('has its streams apart, and its exit code', async () => {
    const terminal = await exec('echo out; echo err >&2; cat; exit 3');
    await terminal.write(Buffer.from('input'));
    terminal.endInput();
    expect(await all(terminal)).toEqual({ out: 'out\ninput', err: 'err\n', exitCode: 3 });
  });

  it('runs only when it is started', async () => {
    const start = await runtime.prepareCommand(container, {
      command: ['touch', '/tmp/begun'],
      stdin: false,
      stdout: true,
      stderr: true,
      tty: false,
    });
    expect((await runtime.exec(container, ['test', '-e', '/tmp/begun'], 60_000)).exitCode).toBe(1);
    await all(await start());
    expect((await runtime.exec(container, ['test', '-e', '/tmp/begun'], 60_000)).exitCode).toBe(0);
  });

  it('that closes its output and goes on is waited for', async () => {
    expect((await all(await exec('exec > /dev/null 2>&1; sleep 1; exit 7'))).exitCode).toBe(7);
  });

  it('carries large data whole, both ways at once', async () => {
    const sent = randomBytes(8 * 1024 * 1024);
    const terminal = await exec('cat');
    const sending = (async () => {
      for (let at = 0; at < sent.length; at += 65_536) await terminal.write(sent.subarray(at, at + 65_536));
      terminal.endInput();
    })();
    const hash = createHash('sha256');
    for await (const { data } of terminal.output) hash.update(data);
    await sending;
    expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  });

  it('in a terminal has one output, a size that changes, and hears Ctrl-C and Ctrl-P', async () => {
    const terminal = await exec(
      'trap "echo caught; exit 6" INT; until [ "$(stty size)" = "44 111" ]; do sleep 0.1; done; stty raw -echo; echo sized; head -c 2; stty cooked; echo cooked; while :; do sleep 0.1; done',
      { tty: true, stderr: false },
    );
    await terminal.resize({ width: 97, height: 33 });
    await terminal.resize({ width: 111, height: 44 });
    let said = '';
    const reading = (async () => {
      for await (const { data } of terminal.output) said += Buffer.from(data);
    })();
    await until('it has the size', () => said.includes('sized'));
    // Docker's own keys to let go of a container.
    await terminal.write(Buffer.from('\x10\x11'));
    await until('it hears them', () => said.includes('\x10\x11'));
    // Before that a Ctrl-C is a letter.
    await until('keys mean something again', () => said.includes('cooked'));
    await terminal.write(Buffer.from('\x03'));
    await reading;
    expect(said).toContain('caught');
    expect(await terminal.exitCode()).toBe(6);
  });
});

describe('when the client of a command leaves', () => {
  const number = () => `9${randomBytes(3).readUIntBE(0, 3)}`;

  it.each([false, true])(
    'all that it began ends (in a terminal: %s), but what asked to go on',
    async (tty) => {
      const [ends, ignores, stays] = [number(), number(), number()];
      const terminal = await exec(
        `sleep ${ends} & (trap '' TERM; sleep ${ends}) & (trap '' HUP; exec sleep ${ignores}) & setsid sleep ${stays} & sleep ${ends}; true`,
        { tty, stderr: !tty },
      );
      await until('all run', async () => {
        const counts = await Promise.all(
          [ends, ignores, stays].map(async (mark) => (await running(mark)).length),
        );
        return counts.join() === '3,1,1';
      });
      terminal.leave();
      await until('it has ended', async () => (await running(`sleep ${ends}`)).length === 0);
      expect(await running(`sleep ${ignores}`)).toHaveLength(1);
      expect(await running(`sleep ${stays}`)).toHaveLength(1);
    },
  );

  it('what catches the hang-up and goes on is killed', async () => {
    const mark = number();
    const terminal = await exec(`trap 'echo heard' HUP; while :; do sleep ${mark}; done`);
    await until('it runs', async () => (await running(`sleep ${mark}`)).length > 0);
    terminal.leave();
    const loops = async () =>
      (await runtime.exec(container, ['ps', '-o', 'args'], 60_000)).output.includes(mark);
    await until('it is killed', async () => !(await loops()));
  });

  it('at once, before it runs, nothing is left either', async () => {
    const mark = number();
    const terminal = await exec(`sleep ${mark}`);
    terminal.leave();
    // Seen failing when a command that has no process yet was taken for one that has ended.
    await until('its end', async () => (await terminal.exitCode().catch(() => 0)) >= 0);
    await until('nothing is left of it', async () => (await running(`sleep ${mark}`)).length === 0);
  });
});

describe('attaching', () => {
  const listens = { entrypoint: ['sh', '-c', 'while read l; do echo "heard $l"; done; exit 4'], args: [] };
  const streams = { stdin: true, stdout: true, stderr: true };

  it('gives a container its input; one whose input is there once ends with it', async () => {
    const id = await start({ ...listens, stdin: true, stdinOnce: true });
    const terminal = await (await runtime.prepareAttach(id, streams))();
    await terminal.write(Buffer.from('one\n'));
    terminal.endInput();
    expect(await all(terminal)).toEqual({ out: 'heard one\n', err: '', exitCode: 0 });
  });

  it('lets go of a container that goes on', async () => {
    const id = await start({ ...listens, stdin: true });
    for (const word of ['first', 'second']) {
      const terminal = await (await runtime.prepareAttach(id, streams))();
      await terminal.write(Buffer.from(`${word}\n`));
      for await (const { data } of terminal.output) {
        expect(Buffer.from(data).toString()).toBe(`heard ${word}\n`);
        break;
      }
      terminal.leave();
    }
    expect((await runtime.list()).find((one) => one.id === id)?.state).toBe('running');
  });
});
