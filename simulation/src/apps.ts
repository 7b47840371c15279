// The programs that containers of the run run, by their command: when they are ready, whether they crash, and what they
// do when they are asked to end.
import type { Program as Acted } from '../../agent/test/test-programs.ts';

/** How an app behaves. Ready after so long; ends by itself after so long; never hears SIGTERM. */
export interface App {
  readonly readyMs?: number;
  readonly lastsMs?: number;
  readonly stubborn?: boolean;
  /** After so long it runs on and does nothing more. */
  readonly sickMs?: number;
  /** It is asked whether it lives. */
  readonly liveness?: boolean;
  readonly missing?: boolean;
  /** It is never ready there. */
  readonly failsOn?: string;
  /** How many containers its pod has. */
  readonly of: number;
}

export const commandOf = (app: App): string[] => ['app', JSON.stringify(app)];
export const ASK_READY = ['ready'];
export const ASK_ALIVE = ['alive'];

export const appOf = (command: readonly string[]): App =>
  command[0] === 'app' ? (JSON.parse(command[1] ?? '{}') as App) : { readyMs: 0, of: 1 };

export const isEverReady = ({ readyMs, failsOn, missing }: App, node: string): boolean =>
  readyMs !== undefined && failsOn !== node && missing !== true;

/** What the engine acts out when such a command is started. */
export function actApp(command: readonly string[]): Acted {
  const { lastsMs, stubborn, missing } = appOf(command);
  return {
    command,
    ...(missing ? { missing } : {}),
    ...(lastsMs === undefined ? {} : { exits: 1, lastsMs }),
    ...(stubborn ? {} : { onTerm: 0 }),
  };
}

/** So that its probe fails. */
export const isSick = ({ sickMs, liveness }: App, ranForMs: number): boolean =>
  liveness === true && sickMs !== undefined && ranForMs >= sickMs;

export const answerAlive = (command: readonly string[], ranForMs: number): Acted => ({
  command: ASK_ALIVE,
  exits: isSick(appOf(command), ranForMs) ? 1 : 0,
});

/** What a probe in such a container answers. */
export const answerReady = (command: readonly string[], node: string, ranForMs: number): Acted => {
  const app = appOf(command);
  const ready = isEverReady(app, node) && ranForMs >= (app.readyMs ?? 0);
  return { command: ASK_READY, exits: ready ? 0 : 1 };
};
