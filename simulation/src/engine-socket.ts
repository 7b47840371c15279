// An agent's way to its machine's engine: calls take time, answers come back to who asked if that still lives, and what
// the engine does goes on without it. Calls that are never answered end as the real client ends them.
import {
  type ContainerRuntime,
  type EngineWatcher,
  RuntimeError,
} from '@fleetset/agent/runtime/container-runtime';
import { currentProgram, mayAct, type Program } from './program.ts';

/** As long as the real client waits; pulls end by their signal. */
const PATIENCE_MS = { list: 15_000, stop: 180_000, other: 120_000 } as const;
const EVENT_MS = 40;

/** `engine`: the program of the machine's engine as it runs now. */
export function overSocket(runtime: ContainerRuntime, engine: () => Program): ContainerRuntime {
  const call = <T>(
    what: keyof typeof PATIENCE_MS,
    run: () => Promise<T>,
    takesMs: readonly [number, number],
  ) =>
    new Promise<T>((resolve, reject) => {
      const asking = currentProgram();
      const { time } = asking;
      if (!mayAct(asking)) return;
      const patience = time.after(PATIENCE_MS[what], asking, () =>
        reject(new RuntimeError('timeout', `${what}: no answer in ${PATIENCE_MS[what] / 1000} s`)),
      );
      const answer = (settle: () => void) => {
        patience.run = undefined;
        if (asking.alive) settle();
      };
      const { dice } = time;
      const [from, to] = dice.chance(0.02) ? [takesMs[1], 10 * takesMs[1]] : takesMs;
      time.after(from + (to - from) * dice.next(), engine(), () => {
        run().then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(error)),
        );
      });
    });
  return {
    info: () => call('other', runtime.info, [1, 5]),
    list: () => call('list', runtime.list, [1, 4]),
    inspect: (id) => call('list', () => runtime.inspect(id), [0.5, 2]),
    strays: () => call('list', runtime.strays, [1, 4]),
    hasImage: (image) => call('other', () => runtime.hasImage(image), [0.5, 2]),
    imageId: (image) => call('other', () => runtime.imageId(image), [0.5, 2]),
    images: () => call('list', runtime.images, [1, 4]),
    removeImage: (name) => call('other', () => runtime.removeImage(name), [5, 60]),
    imageUser: (image) => call('other', () => runtime.imageUser(image), [0.5, 2]),
    holderImage: () => call('other', runtime.holderImage, [0.5, 2]),
    pull: (image, signal, onProgress) =>
      call('other', () => runtime.pull(image, signal, onProgress), [200, 4000]),
    create: (settings) => call('other', () => runtime.create(settings), [10, 60]),
    start: (id) => call('other', () => runtime.start(id), [50, 400]),
    stop: (id, graceSeconds) => call('stop', () => runtime.stop(id, graceSeconds), [5, 60]),
    kill: (id) => call('other', () => runtime.kill(id), [5, 60]),
    remove: (id) => call('other', () => runtime.remove(id), [5, 60]),
    exec: (id, command, timeoutMs) => call('other', () => runtime.exec(id, command, timeoutMs), [5, 50]),
    logs: runtime.logs,
    prepareCommand: runtime.prepareCommand,
    prepareAttach: runtime.prepareAttach,
    pid: runtime.pid,
    follow: ({ onOpen, onChange, onLost }, signal) => {
      const asking = currentProgram();
      const { time } = asking;
      let lastAt = 0;
      /** In their order, however late. */
      const later = (ms: number, tell: () => void) => {
        lastAt = Math.max(lastAt, time.now() + ms);
        time.after(lastAt - time.now(), asking, tell);
      };
      const watcher: EngineWatcher = {
        onOpen: () => later(EVENT_MS * time.dice.next(), onOpen),
        onChange: (change) => later(EVENT_MS * time.dice.next(), () => onChange(change)),
        onLost: () => later(EVENT_MS, onLost),
      };
      runtime.follow(watcher, signal);
    },
  };
}
