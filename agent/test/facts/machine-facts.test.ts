// What this machine says of itself, also when part of it hangs.
import { release, totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { askMachine, knownAtOnce } from '../../src/facts/machine-facts.ts';
import { letHang } from '../hanging-programs.ts';

describe('a machine', () => {
  it('is known at once as far as the kernel tells', () => {
    const facts = knownAtOnce();
    expect(facts).toMatchObject({
      memoryBytes: totalmem(),
      kernelVersion: release(),
      operatingSystem: process.platform,
      bootId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(facts.cpus).toBeGreaterThan(0);
    expect(facts.diskBytes).toBeGreaterThan(0);
  });

  it('tells the rest when it is asked', async () => {
    expect(await askMachine()).toEqual({
      osImage: expect.stringMatching(/\S/),
      systemUuid: expect.any(String),
    });
  });

  it.each<[string, string, object]>([
    ['whose programs hang answers without what they would have told', 'cat', {}],
    ['whose name server is gone still tells the rest', 'hostname', { systemUuid: expect.any(String) }],
  ])('%s', async (_what, program, told) => {
    const hangs = await letHang(program);
    const waiting = new AbortController();
    const answer = askMachine(waiting.signal);
    await hangs();
    waiting.abort();
    expect(await answer).toEqual(told);
  });
});
