/** Plain CSV: a line of names, then a line for each row. No quotes, no commas in values. */

export const COLUMNS = ['sku', 'quantity', 'price_cents'];

/** The rows of a text, without the line of names and empty lines. */
export function rowsOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(1);
}

/** @throws RangeError when a number is none */
export function rowValue(row: string[]): number {
  const [sku, quantity, price] = row;
  const count = Number(quantity);
  const cents = Number(price);
  if (!sku || !Number.isInteger(count) || !Number.isInteger(cents) || count < 0 || cents < 0) {
    throw new RangeError(`not a product: ${row.join(',')}`);
  }
  return count * cents;
}
