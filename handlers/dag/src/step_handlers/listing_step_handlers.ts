/** The way of a product listing to its publication. Prices in cents. */

import { defineHandler, PermanentError } from '@tasker-systems/tasker';

interface Listing {
  sku: string;
  title: string;
  cost_cents: number;
  photos: string[];
}

interface Price {
  price_cents: number;
}

interface Photos {
  photos: string[];
  quality: 'good' | 'poor';
}

/** Photos that make a listing good. */
const ENOUGH_PHOTOS = 2;

export const ReceiveListing = defineHandler(
  'DagWorkflow.StepHandlers.ReceiveListing',
  { inputs: { listing: 'listing' } },
  async ({ listing }) => {
    const { sku, title, cost_cents, photos } = (listing ?? {}) as Partial<Listing>;
    if (!sku || !title || typeof cost_cents !== 'number' || !Array.isArray(photos)) {
      throw new PermanentError('A listing has sku, title, cost_cents and photos', { listing });
    }
    return { sku, title, cost_cents, photos };
  },
);

export const PriceListing = defineHandler(
  'DagWorkflow.StepHandlers.PriceListing',
  { depends: { listing: 'receive_listing' } },
  async ({ listing, context }) => {
    const margin = context.getConfig<number>('margin_percent') ?? 0;
    return { price_cents: Math.round(((listing as Listing).cost_cents * (100 + margin)) / 100) };
  },
);

export const RatePhotos = defineHandler(
  'DagWorkflow.StepHandlers.RatePhotos',
  { depends: { listing: 'receive_listing' } },
  async ({ listing }) => {
    const { photos } = listing as Listing;
    return { photos, quality: photos.length >= ENOUGH_PHOTOS ? 'good' : 'poor' };
  },
);

export const CheckPolicy = defineHandler(
  'DagWorkflow.StepHandlers.CheckPolicy',
  { depends: { price: 'price_listing', photos: 'rate_photos' } },
  async ({ price, photos, context }) => {
    const violations: string[] = [];
    if ((price as Price).price_cents > (context.getConfig<number>('max_price_cents') ?? 0)) {
      violations.push('price_too_high');
    }
    if ((photos as Photos).photos.length === 0) {
      violations.push('no_photos');
    }
    return { approved: violations.length === 0, violations };
  },
);

export const ConvertPrice = defineHandler(
  'DagWorkflow.StepHandlers.ConvertPrice',
  { depends: { price: 'price_listing' } },
  async ({ price, context }) => {
    const { price_cents } = price as Price;
    const rates = Object.entries(context.getConfig<Record<string, number>>('rates_percent') ?? {});
    const converted = rates.map(([currency, percent]) => [currency, Math.round((price_cents * percent) / 100)]);
    return { prices: { EUR: price_cents, ...Object.fromEntries(converted) } };
  },
);

export const TagPhotos = defineHandler(
  'DagWorkflow.StepHandlers.TagPhotos',
  { depends: { rated: 'rate_photos' } },
  async ({ rated }) => {
    const { photos } = rated as Photos;
    return { tags: photos.map((file) => ({ file, tag: file.replace(/\.\w+$/, '') })) };
  },
);

export const PublishListing = defineHandler(
  'DagWorkflow.StepHandlers.PublishListing',
  {
    depends: { listing: 'receive_listing', policy: 'check_policy', converted: 'convert_price', tagged: 'tag_photos' },
  },
  async ({ listing, policy, converted, tagged }) => {
    const { approved, violations } = policy as { approved: boolean; violations: string[] };
    if (!approved) {
      throw new PermanentError(`The listing is against the policy: ${violations.join(', ')}`, { violations });
    }
    const { sku, title } = listing as Listing;
    const { prices } = converted as { prices: Record<string, number> };
    const { tags } = tagged as { tags: Array<{ file: string; tag: string }> };
    return { sku, title, status: 'published', prices, tags };
  },
);
