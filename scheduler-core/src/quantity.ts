// Kubernetes' resource.Quantity: exact decimal amounts with SI or binary suffixes (rule 84).
// Kept as a whole number of nano-units, rounded away from zero, so that arithmetic is exact.

export interface Quantity {
  readonly nano: bigint;
  readonly format: 'decimal' | 'binary' | 'exponent';
}

const NANO = 1_000_000_000n;
const DECIMAL_EXPONENT: { readonly [suffix: string]: number } = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
/** The largest first; each with how many nano-units it is. */
const DECIMAL_UNITS = Object.entries(DECIMAL_EXPONENT)
  .map(([suffix, exponent]) => ({ suffix, exponent, unit: 10n ** BigInt(exponent + 9) }))
  .reverse();
const BINARY_SUFFIXES = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;
const SHAPE = /^([+-]?)(\d+\.?\d*|\.\d+)([a-zA-Z]*|[eE][+-]?\d+)$/;

/** What the text says, or undefined when it is no quantity. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = SHAPE.exec(text);
  if (!match) return undefined;
  const [, sign = '', number = '', suffix = ''] = match;
  const scale = suffixScale(suffix);
  if (!scale) return undefined;
  const [whole = '', fraction = ''] = number.split('.');
  const numerator = BigInt(whole + fraction || '0') * scale.multiplier * NANO;
  const divisor = 10n ** BigInt(fraction.length) * scale.divisor;
  const magnitude = (numerator + divisor - 1n) / divisor;
  return { nano: sign === '-' ? -magnitude : magnitude, format: scale.format };
}

function suffixScale(suffix: string) {
  const binary = BINARY_SUFFIXES.indexOf(suffix as (typeof BINARY_SUFFIXES)[number]);
  if (binary >= 0) return { multiplier: 1024n ** BigInt(binary + 1), divisor: 1n, format: 'binary' } as const;
  const named = Object.hasOwn(DECIMAL_EXPONENT, suffix) ? DECIMAL_EXPONENT[suffix] : undefined;
  if (named !== undefined) return powerOfTen(named, 'decimal');
  const exponent = /^[eE]([+-]?\d{1,3})$/.exec(suffix)?.[1];
  return exponent === undefined ? undefined : powerOfTen(Number(exponent), 'exponent');
}

function powerOfTen(exponent: number, format: Quantity['format']) {
  const power = 10n ** BigInt(Math.abs(exponent));
  return exponent < 0
    ? ({ multiplier: 1n, divisor: power, format } as const)
    : ({ multiplier: power, divisor: 1n, format } as const);
}

/** The one way to write this amount: no fraction, the largest suffix that fits. */
export function formatQuantity(quantity: Quantity): string {
  const { nano } = quantity;
  if (nano === 0n) return '0';
  const small = nano > -1024n * NANO && nano < 1024n * NANO;
  if (quantity.format === 'binary' && !small) return formatBinary(nano);
  for (const { suffix, exponent, unit } of DECIMAL_UNITS) {
    if (nano % unit !== 0n) continue;
    const digits = (nano / unit).toString();
    if (quantity.format !== 'exponent') return digits + suffix;
    return exponent === 0 ? digits : `${digits}e${exponent}`;
  }
  return `${nano}n`;
}

function formatBinary(nano: bigint): string {
  let amount = ceilDivide(nano, NANO);
  let suffix = '';
  for (const next of BINARY_SUFFIXES) {
    if (amount % 1024n !== 0n) break;
    amount /= 1024n;
    suffix = next;
  }
  // Without a suffix it would read back as decimal: written as that at once, the text stays what it is.
  return suffix === '' ? formatQuantity({ nano: amount * NANO, format: 'decimal' }) : amount + suffix;
}

/** Away from zero, as Kubernetes rounds. */
function ceilDivide(value: bigint, by: bigint): bigint {
  const rest = value % by;
  if (rest === 0n) return value / by;
  return value / by + (value > 0n ? 1n : -1n);
}

/** Whole units (bytes, pids), rounded up. */
export const wholeUnits = (quantity: Quantity): number => Number(ceilDivide(quantity.nano, NANO));

/** Thousandths (cpu), rounded up. */
export const milliUnits = (quantity: Quantity): number => Number(ceilDivide(quantity.nano, 1_000_000n));

/** The canonical text of a quantity, or undefined when it is none. */
export function canonicalQuantity(text: string): string | undefined {
  const parsed = parseQuantity(text);
  return parsed && formatQuantity(parsed);
}
