// A pod that is to end ends: what the engine cannot stop is killed, and what cannot be killed is told.
import { type ChildProcess, spawn } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAgentEvents } from '../../src/node/agent-events.ts';
import { type EndParts, endContainer } from '../../src/node/end-container.ts';
import { RuntimeError } from '../../src/runtime/container-runtime.ts';

const events = createAgentEvents();
const told = () => events.take().map(({ reason, message }) => `${reason}: ${message}`);
const fails =
  (kind: RuntimeError['kind'], message = kind as string) =>
  () =>
    Promise.reject(new RuntimeError(kind, message));
const works = async () => {};

/** Answers which calls were made. */
async function stop(parts: Partial<EndParts['runtime']> & { readonly pid?: number }, id = 'a') {
  const calls: string[] = [];
  const called = (name: 'stop' | 'kill') => () => {
    calls.push(name);
    return (parts[name] ?? works)(id, 0);
  };
  const failure = await endContainer(
    { runtime: { stop: called('stop'), kill: called('kill') }, events, pidOf: () => parts.pid },
    { id, podUid: 'p', container: 'app', graceSeconds: 5 },
  ).then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { calls: calls.join(' '), failure };
}

describe('a container', () => {
  it.each<readonly [string, Partial<EndParts['runtime']>, string]>([
    ['that ends when it is asked to is left at that', {}, 'stop'],
    ['that is gone has ended', { stop: fails('not-found') }, 'stop'],
    ['that the engine cannot stop in time is killed', { stop: fails('timeout') }, 'stop kill'],
    ['that the engine refuses to stop is killed', { stop: fails('failed') }, 'stop kill'],
    [
      'that ended meanwhile is not killed again',
      { stop: fails('timeout'), kill: fails('conflict', 'Container a is not running') },
      'stop kill',
    ],
  ])('%s', async (_sentence, runtime, calls) => {
    expect(await stop(runtime)).toEqual({ calls, failure: undefined });
    expect(told()).toEqual([]);
  });

  it('is not killed while the engine is away: it may be ending', async () => {
    expect(await stop({ stop: fails('unreachable') })).toEqual({ calls: 'stop', failure: 'unreachable' });
    expect(told()).toEqual([]);
  });

  it('that can neither be stopped nor killed is told', async () => {
    const message =
      'error killing pod: container app cannot be stopped: no answer in 25 s; nor killed: no answer in 15 s';
    const runtime = {
      stop: fails('timeout', 'no answer in 25 s'),
      kill: fails('timeout', 'no answer in 15 s'),
    };
    expect(await stop(runtime)).toEqual({ calls: 'stop kill', failure: message });
    expect(told()).toEqual([`FailedKillPod: ${message}`]);
  });
});

describe('a process', () => {
  const run = (): ChildProcess => {
    const child = spawn('sleep', ['1000']);
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  };
  const runtime = { stop: fails('timeout'), kill: fails('timeout') };

  it('that is another’s by now is left alone', async () => {
    const child = run();
    expect((await stop({ ...runtime, pid: child.pid ?? 0 }, 'id-of-no-group')).failure).toMatch(
      /^error killing pod/,
    );
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    expect(told()).toHaveLength(1);
  });

  it('of a container that the engine cannot end is killed without it', async () => {
    const child = run();
    const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
    // Every process is in the group whose path ends so.
    expect(await stop({ ...runtime, pid: child.pid ?? 0 }, ':/')).toEqual({
      calls: 'stop kill',
      failure: undefined,
    });
    expect(await ended).toBe('SIGKILL');
  });
});
