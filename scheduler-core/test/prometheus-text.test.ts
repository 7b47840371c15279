// The text that Prometheus reads.
import { expect, it } from 'vitest';
import { metricsText } from '../src/prometheus-text.ts';

it('each metric has its help, its type and its samples', () => {
  const text = metricsText([
    { name: 'a_total', type: 'counter', help: 'Of\nall \\ kinds.', samples: [{ value: 3 }] },
    {
      name: 'b',
      type: 'gauge',
      help: 'B.',
      samples: [{ labels: { path: 'C:\\x', said: '"hi"\nthere' }, value: 0.5 }],
    },
    {
      name: 'c_seconds',
      type: 'histogram',
      help: 'C.',
      samples: [
        { suffix: '_bucket', labels: { le: '+Inf' }, value: Number.POSITIVE_INFINITY },
        { suffix: '_sum', value: 1e21 },
      ],
    },
    { name: 'd', type: 'gauge', help: 'D.', samples: [] },
  ]);
  expect(text).toBe(
    [
      '# HELP a_total Of\\nall \\\\ kinds.',
      '# TYPE a_total counter',
      'a_total 3',
      '# HELP b B.',
      '# TYPE b gauge',
      'b{path="C:\\\\x",said="\\"hi\\"\\nthere"} 0.5',
      '# HELP c_seconds C.',
      '# TYPE c_seconds histogram',
      'c_seconds_bucket{le="+Inf"} +Inf',
      'c_seconds_sum 1e+21',
      '# HELP d D.',
      '# TYPE d gauge',
      '',
    ].join('\n'),
  );
});
