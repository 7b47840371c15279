// Which name goes into the kubeconfig and the join line for an address that is listened on.
import { describe, expect, it } from 'vitest';
import { reachedAt, reachedFromPods, reachedHere } from '../src/commands/reached-at.ts';

describe('what is reached', () => {
  it.each([
    ['127.0.0.2', undefined, '127.0.0.2'],
    ['127.0.0.2', 'plane.example.com', '127.0.0.2'],
    ['localhost', 'plane.example.com', 'localhost'],
    ['::1', 'plane.example.com', '::1'],
    ['0.0.0.0', undefined, 'this-machine'],
    ['::', undefined, 'this-machine'],
    ['0.0.0.0', 'plane.example.com', 'plane.example.com'],
    ['192.0.2.7', undefined, '192.0.2.7'],
    ['192.0.2.7', 'plane.example.com', 'plane.example.com'],
  ])('at %s, advertised as %s, is %s from elsewhere', (host, advertised, expected) =>
    expect(reachedAt({ host, port: 6444 }, advertised, 'this-machine')).toBe(expected),
  );

  it.each<[string, string[] | undefined, string]>([
    ['127.0.0.1', ['plane.example.com'], '127.0.0.1'],
    ['0.0.0.0', undefined, '203.0.113.9'],
    ['192.0.2.7', undefined, '192.0.2.7'],
    ['0.0.0.0', ['plane.example.com', '192.0.2.8'], '192.0.2.8'],
    ['0.0.0.0', ['127.0.0.1', 'localhost', 'plane.example.com'], 'plane.example.com'],
    ['0.0.0.0', ['localhost', '::1'], '203.0.113.9'],
    ['192.0.2.7', ['127.0.0.1', '2001:db8::1'], '2001:db8::1'],
  ])('at %s, advertised as %j, is %s from pods', (host, advertised, expected) =>
    expect(reachedFromPods({ host, port: 6443 }, advertised, '203.0.113.9')).toBe(expected),
  );

  it.each([
    ['127.0.0.2', '127.0.0.2'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
    ['192.0.2.7', '192.0.2.7'],
  ])('at %s is %s from here', (host, expected) => expect(reachedHere({ host, port: 6444 })).toBe(expected));
});
