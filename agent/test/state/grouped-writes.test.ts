// Many who change what one file holds: written as often as the disk is done, and each hears of its own writing.
import { describe, expect, it } from 'vitest';
import { groupedWrites } from '../../src/state/grouped-writes.ts';

/** Writings that end when the test says so, each with what there was to write when it began. */
function scripted() {
  const held: string[] = [];
  const begun: { readonly held: readonly string[]; readonly end: (error?: Error) => void }[] = [];
  const write = groupedWrites(
    () =>
      new Promise((resolve, reject) => {
        begun.push({ held: [...held], end: (error) => (error ? reject(error) : resolve()) });
      }),
  );
  const heard: string[] = [];
  const add = async (name: string) => {
    held.push(name);
    try {
      await write();
      heard.push(name);
    } catch {
      held.splice(held.indexOf(name), 1);
      heard.push(`${name} failed`);
    }
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { add, begun, heard, turn };
}

describe('writes that are grouped', () => {
  it('of one moment are one; those who come meanwhile share the next, which holds what they asked for', async () => {
    const { add, begun, heard, turn } = scripted();
    const first = [add('a'), add('b')];
    await turn();
    expect(begun.map(({ held }) => held)).toEqual([['a', 'b']]);
    const second = [add('c'), add('d')];
    await turn();
    expect(begun).toHaveLength(1);
    expect(heard).toEqual([]);
    begun[0]?.end();
    await Promise.all(first);
    expect(heard).toEqual(['a', 'b']);
    await turn();
    expect(begun[1]?.held).toEqual(['a', 'b', 'c', 'd']);
    begun[1]?.end();
    await Promise.all(second);
    expect(heard).toEqual(['a', 'b', 'c', 'd']);
    expect(begun).toHaveLength(2);
  });

  it('that fail fail for all who shared them; the next goes on without what those took back', async () => {
    const { add, begun, heard, turn } = scripted();
    const first = [add('a'), add('b')];
    await turn();
    const second = add('c');
    begun[0]?.end(new Error('no space left'));
    await Promise.all(first);
    await turn();
    expect(begun[1]?.held).toEqual(['c']);
    begun[1]?.end();
    await second;
    expect(heard).toEqual(['a failed', 'b failed', 'c']);
  });
});
