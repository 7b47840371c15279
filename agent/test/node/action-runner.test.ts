// What the runner does with actions: one at a time for each thing, what follows one at once, and what comes of them.
import type { NodeAction } from '@fleetset/scheduler-core/node/node-action';
import pino from 'pino';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import {
  type ActionRunner,
  createActionRunner,
  HOLD_AFTER_FAILURE_MS,
} from '../../src/node/action-runner.ts';

const about = { podUid: 'uid-1', container: 'app', reason: 'a test' };
const CREATE: NodeAction = { ...about, kind: 'create', attempt: 0 };
const START: NodeAction = { ...about, kind: 'start', id: 'one' };
const KEY = 'uid-1/app';

type End = (next?: NodeAction | Error) => void;
let runner: ActionRunner;
/** What is being executed now, and how to end it. */
let ends: End[];
let told: string[];
let may: boolean;
let hasBackOff: boolean;

beforeEach(() => {
  [ends, told, may, hasBackOff] = [[], [], true, true];
  runner = createActionRunner({
    execute: (action) => {
      told.push(`${action.kind} runs`);
      return new Promise((resolve, reject) =>
        ends.push((next) => (next instanceof Error ? reject(next) : resolve(next))),
      );
    },
    mayFollow: () => may,
    outcomes: {
      memory: new Map(),
      begun: ({ kind }) => told.push(`${kind} begun`),
      succeeded: ({ kind }) => told.push(`${kind} succeeded`),
      failed: ({ kind }) => {
        told.push(`${kind} failed`);
        return hasBackOff;
      },
      engineIsBack: () => {},
      keepOnly: () => {},
    },
    logger: pino({ level: 'silent' }),
    onEnded: ({ kind }, { held }) => told.push(held ? `ended, ${kind} was held` : 'ended'),
    signal: new AbortController().signal,
  });
});

const end = async (next?: NodeAction | Error) => {
  ends.at(-1)?.(next);
  await new Promise((resolve) => setImmediate(resolve));
};

it('what follows an action takes its place: it is what the thing is busy with, and has its own outcome', async () => {
  expect(runner.launch(CREATE)).toBe(true);
  expect([runner.busy.get(KEY), runner.launch(START)]).toEqual(['create', false]);
  await end(START);
  expect([runner.busy.get(KEY), runner.launch(START)]).toEqual(['start', false]);
  expect(told).toEqual(['create begun', 'create runs', 'create succeeded', 'start begun', 'start runs']);
  await end(new Error('no'));
  expect(told.slice(5)).toEqual(['start failed', 'ended']);
  expect([runner.busy.size, runner.launch(START)]).toEqual([0, true]);
});

it('nothing follows what has failed, what may not by now, or once it is closed; what was under way is waited for', async () => {
  runner.launch(CREATE);
  await end(new Error('no'));
  expect(told).toEqual(['create begun', 'create runs', 'create failed', 'ended']);
  told = [];
  may = false;
  runner.launch(CREATE);
  await end(START);
  expect(told).toEqual(['create begun', 'create runs', 'create succeeded', 'ended']);
  [told, may] = [[], true];
  runner.launch(CREATE);
  runner.close();
  expect(runner.underWay()).toHaveLength(1);
  await end(START);
  expect(told).toEqual(['create begun', 'create runs', 'create succeeded', 'ended']);
  expect([runner.underWay(), runner.launch(CREATE)]).toEqual([[], false]);
});

it('what has failed without a back-off of its own is held for a while, and ends as that', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  hasBackOff = false;
  runner.launch(CREATE);
  ends.at(-1)?.(new Error('no'));
  await vi.advanceTimersByTimeAsync(HOLD_AFTER_FAILURE_MS - 1);
  expect([told.at(-1), runner.launch(CREATE)]).toEqual(['create failed', false]);
  await vi.advanceTimersByTimeAsync(1);
  expect([told.at(-1), runner.launch(CREATE)]).toEqual(['ended, create was held', true]);
});
