// The local endpoints: what they answer, to whom, and what happens when their port is taken.
import { createServer } from 'node:net';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LocalAnswers, startLocalServer } from '../../src/local/local-server.ts';
import { until } from '../wait-until.ts';

const fine: LocalAnswers = {
  unhealthy: () => undefined,
  unready: () => undefined,
  metrics: () => 'a 1\n',
  pods: () => ({ kind: 'PodList' }),
};
const open = async (answers: Partial<LocalAnswers> = {}) => {
  const local = startLocalServer(
    { host: '127.0.0.1', port: 0 },
    { ...fine, ...answers },
    pino({ enabled: false }),
  );
  onTestFinished(local.stop);
  const port = await until('it listens', local.port);
  return async (path: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return `${answer.status} ${answer.headers.get('content-type')} ${await answer.text()}`;
  };
};

describe('the local endpoints', () => {
  it('tell how the agent is, its metrics and its pods', async () => {
    const get = await open();
    expect(await get('/healthz')).toBe('200 text/plain; charset=utf-8 ok');
    expect(await get('/readyz?verbose')).toBe('200 text/plain; charset=utf-8 ok');
    expect(await get('/metrics')).toBe('200 text/plain; version=0.0.4; charset=utf-8 a 1\n');
    expect(await get('/pods')).toBe('200 application/json {"kind":"PodList"}\n');
    expect(await get('/metrics', 'HEAD')).toBe('200 text/plain; version=0.0.4; charset=utf-8 ');
  });

  it('say why, when something is wrong', async () => {
    const away = await open({ unready: () => 'the engine is away' });
    expect(await away('/healthz')).toMatch(/^200 /);
    expect(await away('/readyz')).toBe('503 text/plain; charset=utf-8 the engine is away');
    const stuck = await open({ unhealthy: () => 'the loop is stuck' });
    expect(await stuck('/healthz')).toBe('503 text/plain; charset=utf-8 the loop is stuck');
    expect(await stuck('/readyz')).toMatch(/^503 .*stuck$/);
  });

  it('change nothing, know no other path, and outlive an answer that cannot be made', async () => {
    const get = await open({
      pods: () => {
        throw new Error('no pods today');
      },
    });
    expect(await get('/pods', 'DELETE')).toMatch(/^405 /);
    expect(await get('/configz')).toMatch(/^404 /);
    expect(await get('/pods')).toBe('500 text/plain; charset=utf-8 no pods today');
    expect(await get('/healthz')).toMatch(/^200 /);
  });

  it('wait for a port that is taken, with a warning', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    const lines: { readonly level: number; readonly msg: string }[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const local = startLocalServer({ host: '127.0.0.1', port }, fine, logger);
    await until('it says so', () => lines.length > 0);
    expect(lines).toMatchObject([
      {
        level: 40,
        msg: expect.stringMatching(/^the local address 127\.0\.0\.1:\d+ cannot be used: .*EADDRINUSE/),
      },
    ]);
    expect(local.port()).toBeUndefined();
    await local.stop();
    await new Promise((resolve) => holder.close(resolve));
  });
});
