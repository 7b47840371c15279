// Which name goes into the kubeconfig and the join line for an address that is listened on.
import { describe, expect, it } from 'vitest';
import { reachedAt, reachedHere } from '../src/commands/reached-at.ts';

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

  it.each([
    ['127.0.0.2', '127.0.0.2'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
    ['192.0.2.7', '192.0.2.7'],
  ])('at %s is %s from here', (host, expected) => expect(reachedHere({ host, port: 6444 })).toBe(expected));
});
