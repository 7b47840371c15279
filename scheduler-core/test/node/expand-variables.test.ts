// Proves $(VAR) as Kubernetes expands it in commands, arguments and values (rule 106).
import { expandEnvironment, expandVariables } from '@fleetset/scheduler-core/node/expand-variables';
import { describe, expect, test } from 'vitest';

const values = new Map([
  ['A', 'one'],
  ['B', 'two'],
  ['REF', '$(A)'],
  ['EMPTY', ''],
  ['DOLLARS', '$$'],
]);

describe('with A=one, B=two, REF=$(A), EMPTY=, DOLLARS=$$', () => {
  test.each([
    ['a reference is replaced', '$(A)', 'one'],
    ['in the middle too', 'x-$(A)-$(B)y', 'x-one-twoy'],
    ['an unknown one stays as written', '$(NOPE)', '$(NOPE)'],
    ['an empty value is a value', 'x$(EMPTY)y', 'xy'],
    ['$$ is one $', 'a$$b', 'a$b'],
    ['$$ hides a reference', '$$(A)', '$(A)'],
    ['pairs are read from the left', '$$$(A)', '$one'],
    ['and again', '$$$$(A)', '$$(A)'],
    ['what was expanded is not expanded again', '$(REF)', '$(A)'],
    ['nor are its dollars', '$(DOLLARS)', '$$'],
    ['a lone $ is a $', 'cost: 5$', 'cost: 5$'],
    ['a shell variable is not meant', '$A $ {A} $?', '$A $ {A} $?'],
    ['no closing parenthesis, no reference', '$(A', '$(A'],
    ['nor without a $', '(A)', '(A)'],
    ['an empty name is unknown', '$()', '$()'],
    ['a reference in a reference is none', '$(A$(B))', '$(A$(B))'],
    ['nor when only one closes', '$(A$(B)', '$(A$(B)'],
    ['a name may hold a parenthesis, and is unknown', '$(A(B)', '$(A(B)'],
    ['blanks are part of the name', '$( A )', '$( A )'],
  ])('%s: %s', (_sentence, text, expanded) => {
    expect(expandVariables(text, values)).toBe(expanded);
  });
});

test('rule 106: a variable sees those before it, and not itself', () => {
  const environment = expandEnvironment([
    { name: 'LATER', value: '$(BASE)/x' },
    { name: 'BASE', value: '/srv' },
    { name: 'PATH', value: '$(BASE)/bin:$(PATH)' },
    { name: 'BASE', value: '$(BASE)/2' },
    { name: 'NONE' },
    { name: 'HIDDEN', value: '$$(BASE)' },
  ]);
  expect(Object.fromEntries(environment)).toEqual({
    LATER: '$(BASE)/x',
    BASE: '/srv/2',
    PATH: '/srv/bin:$(PATH)',
    NONE: '',
    HIDDEN: '$(BASE)',
  });
});
