// What the agent relies on in a container engine. Run against the fake engine and against real Docker.
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ContainerRuntime,
  type ContainerSettings,
  type EngineChange,
  isRuntimeError,
  type LogOptions,
  type RuntimeContainer,
  type RuntimeFailure,
} from '../src/runtime/container-runtime.ts';
import { podRecord, settings } from './pods.ts';
import {
  COMPLETES,
  EATS_MEMORY,
  EXITS_WITH_3,
  IGNORES_TERM,
  NO_SUCH_PROGRAM,
  OBEYS,
  type Program,
  SAYS_AND_FAILS,
  SUCCEEDS_SILENTLY,
  WRITES_AND_ENDS,
  WRITES_AND_STAYS,
} from './test-programs.ts';
import { until } from './wait-until.ts';

export interface ContractEngine {
  /** Two agents on one engine. */
  readonly runtime: ContainerRuntime;
  readonly neighbour: ContainerRuntime;
  /** Behind the agents' back. */
  readonly end: (id: string) => Promise<void>;
  readonly begin: (id: string) => Promise<void>;
  readonly vanish: (id: string) => Promise<void>;
  /** Breaks the event streams off; they can be opened anew at once. */
  readonly cutEvents: () => void;
  /** Removes every container of both agents. */
  readonly close: () => Promise<void>;
}

const ABSENT_IMAGE = '127.0.0.1:1/absent:1';
/** Only against a hang. */
const EXEC_LIMIT_MS = 60_000;

export function describeRuntimeContract(name: string, open: () => Promise<ContractEngine>): void {
  describe(`${name} keeps the container runtime contract`, () => {
    let engine: ContractEngine;
    let runtime: ContainerRuntime;
    beforeAll(async () => {
      engine = await open();
      runtime = engine.runtime;
    });
    afterAll(() => engine.close());

    /** An engine that was too slow to say all of a container is asked again: until then the list alone tells. */
    const seen = (id: string): Promise<RuntimeContainer> =>
      until('all is known of the container', async () => {
        const found = (await runtime.list()).find((container) => container.id === id);
        if (!found) throw new Error(`container ${id} is not listed`);
        const isWhole = found.state === 'created' || found.startFailed || found.startedAt !== undefined;
        return isWhole && found;
      });
    const started = async (program: Program, over: Partial<ContainerSettings> = {}) => {
      const id = await runtime.create(settings(program, over));
      await runtime.start(id);
      return id;
    };
    const ended = (id: string) =>
      until('the container has ended', async () => {
        const container = await seen(id);
        return container.state === 'exited' && container;
      });
    const failure = async (kind: RuntimeFailure, run: () => Promise<unknown>) => {
      const error = await run().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(isRuntimeError(error, kind), `${kind} expected, got ${String(error)}`).toBe(true);
      return error as Error;
    };
    const logOf = async (id: string, options: Partial<LogOptions> = {}) => {
      const log = await runtime.logs(
        id,
        { follow: false, timestamps: false, ...options },
        new AbortController().signal,
      );
      return textOf(log);
    };

    describe('identity', () => {
      it.each([
        ['an ordinary container', { name: 'app', attempt: 0 }],
        ['a holder', { name: HOLDER, attempt: 2 }],
        ['a container in a pod with a holder', { name: 'app', attempt: 11, holderAttempt: 3 }],
      ])('of %s comes back from the engine as it was given', async (_case, part) => {
        const identity = { pod: podRecord({ name: 'web-x.y-0' }), ...part };
        const id = await runtime.create(settings(OBEYS, { identity }));
        expect((await seen(id)).identity).toEqual(identity);
      });

      it('tells two agents on one engine apart', async () => {
        const mine = await runtime.create(settings());
        const theirs = await engine.neighbour.create(settings());
        const ids = async (of: ContainerRuntime) => (await of.list()).map(({ id }) => id);
        expect(await ids(runtime)).toContain(mine);
        expect(await ids(runtime)).not.toContain(theirs);
        expect(await ids(engine.neighbour)).toEqual([theirs]);
      });
    });

    describe('life of a container', () => {
      it('is created, runs, ends with its exit code, and is gone when it is removed', async () => {
        const id = await runtime.create(settings(WRITES_AND_STAYS));
        expect(await seen(id)).toMatchObject({ state: 'created', image: expect.stringContaining('busybox') });
        await runtime.start(id);
        const running = await seen(id);
        expect(running).toMatchObject({ state: 'running', startedAt: expect.any(String) });
        expect(running.exitCode).toBeUndefined();
        await until('it hears SIGTERM', async () => (await logOf(id)) === 'ready\n');
        await runtime.stop(id, 30);
        expect(await seen(id)).toMatchObject({
          state: 'exited',
          exitCode: 7,
          startedAt: running.startedAt,
          finishedAt: expect.any(String),
        });
        await runtime.remove(id);
        expect((await runtime.list()).some((container) => container.id === id)).toBe(false);
      });

      it.each([
        ['a failing program by its code', EXITS_WITH_3, 3],
        ['a completed program by 0', COMPLETES, 0],
      ])('shows %s', async (_case, program, exitCode) => {
        expect(await ended(await started(program))).toMatchObject({ exitCode });
      });

      it('shows that the kernel killed it for its memory', async () => {
        // Docker itself misses it of one in some ten on a loaded machine: then it says so of the next one.
        await until('the engine has heard of it', async () => {
          const killed = await ended(await started(EATS_MEMORY, { memoryBytes: 8 << 20 }));
          return killed.exitCode === 137 && killed.oomKilled;
        });
      });

      it('has ended, with the reason, when its command cannot be started, also for one who looks meanwhile', async () => {
        const id = await runtime.create(settings(NO_SUCH_PROGRAM));
        let over = false;
        const looking = (async () => {
          while (!over) await runtime.list();
        })();
        await failure('invalid', () => runtime.start(id));
        over = true;
        await looking;
        const failed = await seen(id);
        expect(failed).toMatchObject({
          state: 'exited',
          startFailed: true,
          exitCode: 128,
          finishedAt: expect.any(String),
          error: expect.stringContaining('no/such/program'),
        });
        expect(failed.startedAt).toBeUndefined();
        expect(await logOf(id)).toBe('');
      });

      it('stays created when something else keeps it from starting', async () => {
        const holder = await runtime.create(settings(OBEYS, { network: 'own' }));
        const id = await runtime.create(settings(OBEYS, { network: { holderId: holder } }));
        await failure('conflict', () => runtime.start(id));
        const failed = await seen(id);
        expect(failed).toMatchObject({ state: 'created', exitCode: 128, error: expect.any(String) });
        expect(failed.startFailed).toBeUndefined();
      });

      it('kills what does not hear SIGTERM when the grace is over', async () => {
        const id = await started(IGNORES_TERM);
        await runtime.stop(id, 1);
        expect(await seen(id)).toMatchObject({ state: 'exited', exitCode: 137 });
      });

      it('kills at once when there is no grace', async () => {
        const id = await started(IGNORES_TERM);
        await runtime.stop(id, 0);
        expect(await seen(id)).toMatchObject({ state: 'exited', exitCode: 137 });
      });

      it('removes a container that runs', async () => {
        const id = await started(IGNORES_TERM);
        await runtime.remove(id);
        expect((await runtime.list()).some((container) => container.id === id)).toBe(false);
      });
    });

    describe('what is done already', () => {
      it('starting what runs changes nothing', async () => {
        const id = await started(OBEYS);
        const before = await seen(id);
        await runtime.start(id);
        expect(await seen(id)).toEqual(before);
      });

      it('stopping what has ended or never ran changes nothing', async () => {
        const id = await started(EXITS_WITH_3);
        const before = await ended(id);
        await runtime.stop(id, 30);
        expect(await seen(id)).toEqual(before);
        const fresh = await runtime.create(settings());
        await runtime.stop(fresh, 30);
        expect(await seen(fresh)).toMatchObject({ state: 'created' });
      });

      it('removing what is gone is fine', async () => {
        const id = await runtime.create(settings());
        await runtime.remove(id);
        await runtime.remove(id);
      });

      it('starting, stopping, asking or reading what is gone says so', async () => {
        const id = await runtime.create(settings());
        await runtime.remove(id);
        await failure('not-found', () => runtime.start(id));
        await failure('not-found', () => runtime.stop(id, 1));
        await failure('not-found', () => runtime.exec(id, SUCCEEDS_SILENTLY.command, EXEC_LIMIT_MS));
        await failure('not-found', () => logOf(id));
      });
    });

    describe('what cannot be', () => {
      it('a second container of one name is a conflict', async () => {
        const wanted = settings();
        await runtime.create(wanted);
        await failure('conflict', () => runtime.create(wanted));
      });

      it('a container of an image that is not there', async () => {
        expect(await runtime.hasImage(ABSENT_IMAGE)).toBe(false);
        await failure('image-missing', () => runtime.create(settings(OBEYS, { image: ABSENT_IMAGE })));
      });

      it('an image whose registry does not answer', async () => {
        await failure('pull-failed', () => runtime.pull(ABSENT_IMAGE, new AbortController().signal));
      });

      it('an image that is there is known, with its user', async () => {
        expect(await runtime.hasImage(settings().image)).toBe(true);
        expect(await runtime.imageUser(settings().image)).toBe('');
      });
    });

    describe('a pod with a network of its own', () => {
      it('has a holder that must run before the others, and whose image is made when needed', async () => {
        const image = await runtime.holderImage();
        const pod = podRecord();
        const {
          entrypoint: _none,
          args: _no,
          ...plain
        } = settings(OBEYS, {
          image,
          network: 'own',
          identity: { pod, name: HOLDER, attempt: 0 },
        });
        const holder = await runtime.create(plain);
        const member = await runtime.create(
          settings(OBEYS, {
            network: { holderId: holder },
            identity: { pod, name: 'app', attempt: 0, holderAttempt: 0 },
          }),
        );
        await expect(runtime.start(member)).rejects.toThrow();
        await runtime.start(holder);
        expect(await seen(holder)).toMatchObject({ state: 'running', ip: expect.stringMatching(/\d/) });
        await runtime.start(member);
        expect(await seen(member)).toMatchObject({ state: 'running' });
      });

      it('is not joined when its holder is gone', async () => {
        const holder = await started(OBEYS, { network: 'own' });
        const joining = { network: { holderId: holder } };
        const member = await runtime.create(settings(OBEYS, joining));
        await runtime.remove(holder);
        await failure('not-found', () => runtime.start(member));
        expect(await seen(member)).toMatchObject({ state: 'created' });
        await failure('invalid', () => runtime.create(settings(OBEYS, joining)));
      });

      it('does not get a host port that another pod has', async () => {
        const ports = [{ containerPort: 80, hostPort: 28471, protocol: 'tcp' as const }];
        await started(OBEYS, { network: 'own', ports });
        const second = await runtime.create(settings(OBEYS, { network: 'own', ports }));
        const error = await failure('failed', () => runtime.start(second));
        expect(error.message).toContain('28471');
        expect(await seen(second)).toMatchObject({ state: 'created' });
      });
    });

    describe('exec', () => {
      let id: string;
      beforeAll(async () => {
        id = await started(OBEYS);
      });

      it('answers the exit code and both outputs', async () => {
        const { exitCode, output } = await runtime.exec(id, SAYS_AND_FAILS.command, EXEC_LIMIT_MS);
        expect(exitCode).toBe(4);
        expect(output.split('\n').sort()).toEqual(['', 'err', 'out']);
      });

      it('answers 0 for what succeeds', async () => {
        expect(await runtime.exec(id, SUCCEEDS_SILENTLY.command, EXEC_LIMIT_MS)).toEqual({
          exitCode: 0,
          output: '',
        });
      });

      it('gives up when the time is over', async () => {
        await failure('timeout', () => runtime.exec(id, IGNORES_TERM.command, 300));
      });

      it('tells what could not be run at all from what failed (rule 95)', async () => {
        const error = await failure('failed', () => runtime.exec(id, NO_SUCH_PROGRAM.command, EXEC_LIMIT_MS));
        expect(error.message).toContain('no/such/program');
      });

      it('is refused in a container that does not run', async () => {
        const fresh = await runtime.create(settings());
        await failure('conflict', () => runtime.exec(fresh, SUCCEEDS_SILENTLY.command, EXEC_LIMIT_MS));
      });
    });

    describe('logs', () => {
      let id: string;
      beforeAll(async () => {
        id = await started(WRITES_AND_ENDS);
        await ended(id);
      });

      it('hold both outputs, and can be read after the end', async () => {
        expect((await logOf(id)).split('\n').sort()).toEqual(['', 'one', 'three', 'two']);
      });

      it.each([
        [0, 0],
        [1, 1],
        [2, 2],
        [99, 3],
      ])('the last %i lines', async (tailLines, lines) => {
        expect((await logOf(id, { tailLines })).split('\n').length - 1).toBe(lines);
      });

      it('with the time of each line', async () => {
        for (const line of (await logOf(id, { timestamps: true })).trim().split('\n'))
          expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (one|two|three)$/);
      });

      it('since a time', async () => {
        const now = Date.now() / 1000;
        expect(await logOf(id, { since: now - 3600 })).toContain('one');
        expect(await logOf(id, { since: now + 3600 })).toBe('');
      });

      it('of a container that never ran are empty', async () => {
        expect(await logOf(await runtime.create(settings()))).toBe('');
      });

      it('that are followed end when the container ends', async () => {
        const following = await started(WRITES_AND_STAYS);
        const text = logOf(following, { follow: true });
        await until('the line is written', async () => (await logOf(following)).includes('ready'));
        await runtime.stop(following, 30);
        expect(await text).toBe('ready\n');
      });

      it('that are followed end when the reader leaves', async () => {
        const following = await started(WRITES_AND_STAYS);
        const leaving = new AbortController();
        const log = await runtime.logs(following, { follow: true, timestamps: false }, leaving.signal);
        const text = textOf(log).catch(() => 'broken off');
        leaving.abort();
        expect(['broken off', 'ready\n', '']).toContain(await text);
        expect(await seen(following)).toMatchObject({ state: 'running' });
      });
    });

    describe('changes', () => {
      /** Looks once at each wake, as the agent does, and tells when such a look saw what was waited for. */
      const lookAtEachWake = () => {
        const looks: (readonly RuntimeContainer[])[] = [];
        const leaving = new AbortController();
        let lost = 0;
        const onLost = () => {
          lost += 1;
        };
        const onChange = () => void runtime.list().then((look) => looks.push(look));
        runtime.follow({ onOpen: () => {}, onChange, onLost }, leaving.signal);
        return {
          lost: () => lost,
          leave: () => leaving.abort(),
          until: (what: string, id: string, state: RuntimeContainer['state'] | undefined) =>
            until(`a wake whose look shows ${what}`, () =>
              looks.some((look) => look.find((container) => container.id === id)?.state === state),
            ),
          forget: () => looks.splice(0),
        };
      };

      it('behind the agent wake it, and the look that follows shows them', async () => {
        const id = await runtime.create(settings(OBEYS));
        const watch = lookAtEachWake();
        await engine.begin(id);
        await watch.until('that it was started', id, 'running');
        await engine.end(id);
        await watch.until('that it ended', id, 'exited');
        await engine.vanish(id);
        await watch.until('that it is gone', id, undefined);
        watch.leave();
      });

      it('of one container are seen by asking for that one', async () => {
        const id = await started(OBEYS);
        const [listed] = (await runtime.list()).filter((one) => one.id === id);
        expect(await runtime.inspect(id)).toEqual(listed);
        expect(await engine.neighbour.inspect(id)).toBeUndefined();
        await engine.vanish(id);
        expect(await runtime.inspect(id)).toBeUndefined();
      });

      it('are told for what they are', async () => {
        const id = await runtime.create(settings(EXITS_WITH_3));
        const told: (EngineChange | 'open' | undefined)[] = [];
        const leaving = new AbortController();
        runtime.follow(
          { onOpen: () => told.push('open'), onChange: (change) => told.push(change), onLost: () => {} },
          leaving.signal,
        );
        await until('it is told', () => told.includes('open'));
        await runtime.start(id);
        await ended(id);
        await engine.vanish(id);
        await until('all is told', () =>
          told.some((change) => typeof change === 'object' && change.what === 'gone'),
        );
        leaving.abort();
        expect(told.filter((change) => typeof change === 'object')).toEqual([
          { id, what: 'other' },
          { id, what: 'ended', exitCode: 3, at: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/) },
          { id, what: 'gone' },
        ]);
      });

      it('are told to be missed when the stream that tells them breaks off', async () => {
        const id = await started(OBEYS);
        const watch = lookAtEachWake();
        await engine.end(id);
        await watch.until('that it ended', id, 'exited');
        expect(watch.lost()).toBe(0);
        engine.cutEvents();
        await until('it is said', () => watch.lost() === 1);
        watch.leave();
      });

      it('that were missed while the stream was cut wake it all the same', async () => {
        const id = await started(OBEYS);
        const watch = lookAtEachWake();
        for (const round of [1, 2]) {
          watch.forget();
          engine.cutEvents();
          await engine.end(id);
          await watch.until(`that it ended, cut ${round}`, id, 'exited');
          await engine.begin(id);
          await watch.until('that it was started', id, 'running');
        }
        watch.leave();
      });
    });
  });
}

async function textOf(log: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of log) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}
