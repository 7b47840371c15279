// Command line and config file together: flags win over the file, the file over defaults. Unknown keys are errors.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { durationMs } from '@fleetset/scheduler-core/duration';
import { parse } from 'yaml';
import { UsageError } from './usage-error.ts';

export type Flags = NonNullable<ParseArgsConfig['options']>;
export interface Parsed {
  readonly values: { readonly [flag: string]: string | boolean | readonly string[] | undefined };
  readonly positionals: readonly string[];
}

/** `operands`: how many words there may be beside flags. */
export function parseFlags(args: readonly string[], flags: Flags, operands = 0): Parsed {
  const { values, positionals } = readArguments(args, flags);
  const unexpected = positionals[operands];
  if (unexpected !== undefined) throw new UsageError(`unexpected ${JSON.stringify(unexpected)}`);
  return { values: values as Parsed['values'], positionals };
}

function readArguments(args: readonly string[], flags: Flags) {
  try {
    return parseArgs({
      args: [...args],
      options: { ...flags, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError((error as Error).message.replaceAll('\n', ' '));
  }
}

export const textFlag = ({ values }: Parsed, name: string): string | undefined => {
  const value = values[name];
  if (value === '') throw new UsageError(`--${name} is empty`);
  return typeof value === 'string' ? value : undefined;
};

export type Config = { readonly [key: string]: unknown };

/** Reads a YAML file whose keys must be among `known`. */
export function readConfig(path: string | undefined, known: readonly string[]): Config {
  if (path === undefined) return {};
  let config: unknown;
  try {
    config = parse(readFileSync(path, 'utf8')) ?? {};
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new UsageError(`${path}: must hold key: value lines`);
  for (const key of Object.keys(config))
    if (!known.includes(key))
      throw new UsageError(`${path}: unknown key ${JSON.stringify(key)}; known are ${known.join(', ')}`);
  return config as Config;
}

export function textKey(config: Config, key: string): string | undefined {
  const value = config[key];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new UsageError(`${key}: must be a text, is ${JSON.stringify(value)}`);
  return value;
}

/** A whole number, of the command line or of the config file. */
export function wholeNumber(parsed: Parsed, flag: string, config: Config, key: string): number | undefined {
  const typed = textFlag(parsed, flag);
  const value = typed ?? config[key];
  if (value === undefined || value === null) return undefined;
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (Number.isSafeInteger(number) && Number(number) >= 0) return Number(number);
  const name = typed === undefined ? key : `--${flag}`;
  throw new UsageError(`${name}: ${JSON.stringify(value)} is not a whole number from 0 on`);
}

export function listKey(config: Config, key: string): readonly string[] | undefined {
  const value = config[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new UsageError(`${key}: must be a list of texts`);
  return value;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export function parseHostPort(name: string, text: string): HostPort {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) throw new UsageError(`${name}: ${JSON.stringify(text)} is not HOST:PORT`);
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}

/** HOST or HOST:PORT, of a machine. */
export function parseHostMaybePort(
  name: string,
  text: string,
): { readonly host: string; readonly port?: number } {
  const { host, port } =
    isIP(text) !== 0 || MACHINE_NAME.test(text) ? { host: text } : parseHostPort(name, text);
  checkedNames(name, [text.startsWith(':') ? '' : host]);
  return port === undefined ? { host } : { host, port };
}

/** NAME[,NAME...], names or addresses of machines. */
export const parseNames = (name: string, text: string | undefined): readonly string[] | undefined =>
  checkedNames(name, text?.split(','));

export function checkedNames(
  name: string,
  values: readonly string[] | undefined,
): readonly string[] | undefined {
  if (values?.length === 0) throw new UsageError(`${name}: must hold at least one name or address`);
  for (const value of values ?? [])
    if (isIP(value) === 0 && !MACHINE_NAME.test(value))
      throw new UsageError(`${name}: ${JSON.stringify(value)} is not a name or an address (without a port)`);
  return values;
}

const MACHINE_NAME = /^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$/i;

/** The API's address, as a kubeconfig holds it. */
export function requireServer(name: string, text: string): void {
  if (/\s/.test(text) || !URL.canParse(text) || new URL(text).protocol !== 'https:')
    throw new UsageError(`${name}: ${JSON.stringify(text)} is not https://HOST:PORT`);
}

/** As Go writes durations: 90s, 1h30m; `range` likewise. Milliseconds. */
export function parseDurationWithin(name: string, text: string, range: readonly [string, string]): number {
  const duration = parseDuration(name, text);
  const [least, most] = range.map((limit) => parseDuration(name, limit));
  if (duration < (least ?? 0) || duration > (most ?? 0))
    throw new UsageError(`${name}: ${JSON.stringify(text)} must be from ${range[0]} to ${range[1]}`);
  return duration;
}

/** As Go writes durations: 90s, 1h30m. Milliseconds. */
export function parseDuration(name: string, text: string): number {
  const duration = durationMs(text);
  if (duration === undefined)
    throw new UsageError(`${name}: ${JSON.stringify(text)} is not a duration such as 40s or 1h30m`);
  return duration;
}
