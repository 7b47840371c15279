// What load balancers and people are told of a plane's health, in kube-apiserver's form.
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveHealth } from '../../src/api/health.ts';
import { sendError } from '../../src/api/respond.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

describe('a plane that is well', () => {
  let plane: TestPlane;
  beforeAll(async () => {
    plane = await startTestPlane();
  });
  afterAll(() => plane.stop());

  it.each([
    ['/livez', 'ok'],
    ['/livez?verbose', '[+]ping ok\nlivez check passed\n'],
    ['/readyz?verbose', '[+]ping ok\n[+]store ok\n[+]start ok\n[+]shutdown ok\nreadyz check passed\n'],
    [
      '/readyz?verbose=true&exclude=store&exclude=start',
      '[+]ping ok\n[+]store excluded: ok\n[+]start excluded: ok\n[+]shutdown ok\nreadyz check passed\n',
    ],
    [
      '/livez?verbose&exclude=etcd&exclude=x',
      '[+]ping ok\nwarn: some health checks cannot be excluded: no matches for "etcd","x"\nlivez check passed\n',
    ],
    ['/readyz/shutdown', 'ok'],
    ['/healthz/ping', 'ok'],
  ])('%s', async (path, text) => {
    const reply = await plane.api.call('GET', path);
    expect([reply.status, reply.text, reply.headers['content-type']]).toEqual([
      200,
      text,
      'text/plain; charset=utf-8',
    ]);
  });

  it('knows no check of another name', async () => {
    const { status, json } = await plane.api.call('GET', '/livez/store');
    expect([status, json.reason]).toEqual([404, 'NotFound']);
  });
});

describe('a plane that is not', () => {
  let server: Server;
  let port: number;
  beforeAll(async () => {
    const health = {
      live: [],
      ready: [
        { name: 'store', isWell: () => false },
        { name: 'shutdown', isWell: () => true },
      ],
    };
    server = createServer((request, response) => {
      try {
        serveHealth(new URL(request.url ?? '', 'http://plane'), response, health);
      } catch (error) {
        sendError(response, error);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as { port: number }).port;
  });
  afterAll(() => void server.close());

  it.each([
    ['/livez', 200, 'ok'],
    ['/readyz', 500, '[+]ping ok\n[-]store failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n'],
    ['/healthz', 500, '[+]ping ok\n[-]store failed: reason withheld\n[+]shutdown ok\nhealthz check failed\n'],
    ['/readyz?exclude=store', 200, 'ok'],
    ['/readyz/store', 500, 'internal server error: reason withheld\n'],
  ])('%s', async (path, code, text) => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`);
    expect([reply.status, await reply.text()]).toEqual([code, text]);
  });
});
