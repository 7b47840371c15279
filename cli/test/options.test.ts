// Flags, config files, addresses and durations: what is read, and what is said when it cannot be.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  checkedNames,
  listKey,
  parseDuration,
  parseFlags,
  parseHostMaybePort,
  parseHostPort,
  parseNames,
  readConfig,
  textFlag,
  textKey,
} from '../src/options.ts';

const fileOf = (text: string): string => {
  const directory = mkdtempSync(join(tmpdir(), 'fleetset-config-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'config.yaml');
  writeFileSync(path, text);
  return path;
};

describe('durations', () => {
  it.each([
    ['40s', 40_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['1.5h', 5_400_000],
    ['0', 0],
  ])('%s', (text, expected) => expect(parseDuration('--ttl', text)).toBe(expected));

  it.each(['', '40', 's', '1d', '-1s', '1h 2m', '1h2'])('%j is none', (text) =>
    expect(() => parseDuration('--ttl', text)).toThrow(`--ttl: ${JSON.stringify(text)} is not a duration`),
  );
});

describe('addresses', () => {
  it.each([
    ['127.0.0.1:6443', '127.0.0.1', 6443],
    [':6443', '0.0.0.0', 6443],
    ['[::1]:6443', '::1', 6443],
    ['plane.example.com:0', 'plane.example.com', 0],
  ])('%s', (text, host, port) => expect(parseHostPort('--api-address', text)).toEqual({ host, port }));

  it.each(['6443', '::1:6443', 'host:', 'host:99999', 'host:port'])('%j is none', (text) =>
    expect(() => parseHostPort('--api-address', text)).toThrow('is not HOST:PORT'),
  );
});

describe('flags', () => {
  it('an unknown flag is named', () =>
    expect(() => parseFlags(['--nope'], { config: { type: 'string' } })).toThrow("Unknown option '--nope'"));

  it('an empty value is an error, not a default', () =>
    expect(() => textFlag(parseFlags(['--config', ''], { config: { type: 'string' } }), 'config')).toThrow(
      '--config is empty',
    ));
});

describe('config files', () => {
  it('holds what it says', () => {
    const config = readConfig(fileOf('dataDir: /x\nadvertise: [a, b]\n'), ['dataDir', 'advertise']);
    expect(textKey(config, 'dataDir')).toBe('/x');
    expect(listKey(config, 'advertise')).toEqual(['a', 'b']);
  });

  it('may be empty, or only comments', () => {
    expect(readConfig(fileOf(''), [])).toEqual({});
    expect(readConfig(fileOf('# nothing\n'), [])).toEqual({});
  });

  it.each([
    ['an unknown key', 'datadir: /x', 'unknown key "datadir"; known are dataDir'],
    ['a list in place of keys', '- a', 'must hold key: value lines'],
    ['no YAML', 'a: [', 'Flow sequence'],
  ])('%s is an error that names the file', (_what, text, message) => {
    const path = fileOf(text);
    expect(() => readConfig(path, ['dataDir'])).toThrow(path);
    expect(() => readConfig(path, ['dataDir'])).toThrow(message);
  });

  it('a value of another type is an error that names the key', () => {
    expect(() => textKey({ dataDir: 7 }, 'dataDir')).toThrow('dataDir: must be a text, is 7');
    expect(() => listKey({ advertise: 'a' }, 'advertise')).toThrow('advertise: must be a list of texts');
  });
});

describe('names to advertise', () => {
  it.each([
    ['plane.example.com,10.0.0.1,::1', ['plane.example.com', '10.0.0.1', '::1']],
    ['My_Host', ['My_Host']],
  ])('%s', (text, expected) => expect(parseNames('--advertise', text)).toEqual(expected));

  it.each(['a b', 'plane:6443', '[::1]', 'a,', 'a,,b', 'https://a', '-a'])('%j is none', (text) =>
    expect(() => parseNames('--advertise', text)).toThrow('is not a name or an address (without a port)'),
  );

  it('are more than none', () =>
    expect(() => checkedNames('advertise', [])).toThrow('advertise: must hold at least one'));
});

describe('a host that may have a port', () => {
  it.each([
    ['plane.example.com', { host: 'plane.example.com' }],
    ['192.0.2.1:6443', { host: '192.0.2.1', port: 6443 }],
    ['2001:db8::1', { host: '2001:db8::1' }],
    ['[2001:db8::1]:6443', { host: '2001:db8::1', port: 6443 }],
  ])('%s', (text, expected) => expect(parseHostMaybePort('--advertise-api', text)).toEqual(expected));

  it.each(['', ':6443', 'a b', 'plane:', 'plane:99999'])('%j is refused', (text) =>
    expect(() => parseHostMaybePort('--advertise-api', text)).toThrow('--advertise-api: '),
  );
});
