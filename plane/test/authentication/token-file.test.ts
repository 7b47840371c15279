// The file of tokens, in the form of kube-apiserver's.
import { describe, expect, it } from 'vitest';
import { hashOf, parseTokens } from '../../src/authentication/token-file.ts';

describe('a file of tokens', () => {
  it('names users, with groups or without', () => {
    const tokens = parseTokens(
      't.csv',
      '# people\nabc,jane,7\n\n s3 cret , tom , 8,"dev, ops"\r\nxyz,ann,9,dev\n',
    );
    expect(tokens.get(hashOf('abc'))).toEqual({ name: 'jane', uid: '7', groups: [] });
    expect(tokens.get(hashOf('xyz'))?.groups).toEqual(['dev']);
    expect([...tokens.values()].map(({ groups }) => groups)).toEqual([[], ['dev', 'ops'], ['dev']]);
    expect(tokens.get('abc')).toBeUndefined();
  });

  it.each([
    ['abc', 't.csv, line 1: expected token,user,uid,"group,group"'],
    ['a,b,c\nabc,jane', 't.csv, line 2: expected token,user,uid,"group,group"'],
    ['abc,jane,7,dev,ops', 't.csv, line 1: expected token,user,uid,"group,group"'],
    ['abc,jane,7\nabc,tom,8', 't.csv, line 2: this token is in the file already'],
  ])('%j is refused', (text, message) => {
    expect(() => parseTokens('t.csv', text)).toThrow(message);
  });
});
