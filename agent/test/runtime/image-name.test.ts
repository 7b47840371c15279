// An image has one name in the engine's lists, however a manifest writes it.
import { expect, it } from 'vitest';
import { familiarName } from '../../src/runtime/image-name.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

it.each([
  ['nginx', 'nginx:latest'],
  ['nginx:1.25', 'nginx:1.25'],
  ['docker.io/library/nginx:1.25', 'nginx:1.25'],
  ['index.docker.io/library/nginx', 'nginx:latest'],
  ['docker.io/prom/node-exporter:v1', 'prom/node-exporter:v1'],
  ['prom/node-exporter', 'prom/node-exporter:latest'],
  ['example.org/library/nginx:1', 'example.org/library/nginx:1'],
  ['example.org:5000/nginx', 'example.org:5000/nginx:latest'],
  ['example.org:5000/nginx:2', 'example.org:5000/nginx:2'],
  [`nginx@${DIGEST}`, `nginx@${DIGEST}`],
  [`docker.io/library/nginx:1.25@${DIGEST}`, `nginx@${DIGEST}`],
  [`example.org:5000/nginx@${DIGEST}`, `example.org:5000/nginx@${DIGEST}`],
])('%s is %s', (written, name) => expect(familiarName(written)).toBe(name));
