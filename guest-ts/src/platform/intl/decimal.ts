/** Numbers as digits: rounded as they are written, and not as they are stored, half away from zero. */

export interface Decimal {
  negative: boolean;
  integer: string;
  fraction: string;
}

/** The shortest digits that mean this number, and the power of ten of the first of them. */
function digitsOf(value: number | bigint): { digits: string; exponent: number } {
  if (typeof value === 'bigint') {
    const digits = String(value < 0n ? -value : value);
    return { digits, exponent: digits.length - 1 };
  }
  const [mantissa = '', exponent = '0'] = Math.abs(value).toExponential().split('e');
  return { digits: mantissa.replace('.', ''), exponent: Number(exponent) };
}

/** Digits of the value, rounded behind the one that stands `places` behind the decimal point. */
export function rounded(value: number | bigint, places: number): Decimal {
  const { digits, exponent } = digitsOf(value);
  const scaled = digits.padStart(digits.length + Math.max(0, -exponent), '0');
  const point = Math.max(0, exponent) + 1;
  const all = scaled.padEnd(point + Math.max(0, places) + 1, '0');
  const kept = point + places;
  const up = (all[kept] ?? '0') >= '5' ? 1n : 0n;
  const whole = (BigInt(all.slice(0, Math.max(0, kept)) || '0') + up).toString();
  const negative = Object.is(value, -0) || value < 0;
  if (places < 0) {
    return { negative, integer: whole === '0' ? '0' : whole + '0'.repeat(-places), fraction: '' };
  }
  const padded = whole.padStart(places + 1, '0');
  return { negative, integer: padded.slice(0, padded.length - places), fraction: padded.slice(padded.length - places) };
}

/** The same, with so many digits from the first that is not zero. */
export function significant(value: number | bigint, digits: number): Decimal {
  if (Number(value) === 0) {
    return rounded(value, digits - 1);
  }
  const places = (number: number | bigint) => digits - 1 - digitsOf(number).exponent;
  const first = rounded(value, places(value));
  // 9.99 becomes 10.0 where three digits are wanted.
  const grown = digitsOf(Number(`${first.integer}.${first.fraction}`)).exponent > digitsOf(value).exponent;
  return grown ? rounded(value, places(value) - 1) : first;
}

/** Without zeros at the end, beyond so many digits. */
export function trimmed(decimal: Decimal, minimum: number): Decimal {
  const { fraction } = decimal;
  const kept = fraction.replace(/0+$/, '').length;
  return { ...decimal, fraction: fraction.slice(0, Math.max(kept, minimum)) };
}
