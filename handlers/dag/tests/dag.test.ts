import { StepContext, type StepHandlerClass } from '@tasker-systems/tasker';
import { describe, expect, it } from 'vitest';
import {
  CheckPolicy,
  ConvertPrice,
  PriceListing,
  PublishListing,
  RatePhotos,
  ReceiveListing,
  TagPhotos,
} from '../src/index.js';

type Data = Record<string, unknown>;

function run(handler: StepHandlerClass, results: Data = {}, config: Data = {}, input: Data = {}) {
  const context = StepContext.fromFfiEvent(
    {
      task_sequence_step: {
        task: { context: input },
        step_definition: { handler: { initialization: config } },
        dependency_results: { results },
      },
    },
    'test',
  );
  return new handler().call(context);
}

const listing = { sku: 'MUG-1', title: 'Blue mug', cost_cents: 833, photos: ['front.jpg', 'handle.png'] };

it('a listing is received as it is', async () => {
  expect((await run(ReceiveListing, {}, {}, { listing })).result).toEqual(listing);
});

it.each([{}, { listing: null }, { listing: { ...listing, sku: '' } }, { listing: { ...listing, photos: 'one' } }])(
  'the context %j is refused for good',
  async (input) => {
    expect(await run(ReceiveListing, {}, {}, input)).toMatchObject({
      success: false,
      errorType: 'permanent_error',
      retryable: false,
    });
  },
);

it('the price has the margin on top, rounded', async () => {
  const results = { receive_listing: { result: listing } };
  expect((await run(PriceListing, results, { margin_percent: 50 })).result).toEqual({ price_cents: 1250 });
});

it.each([
  [['a.jpg'], 'poor'],
  [['a.jpg', 'b.jpg'], 'good'],
])('the photos %j are %s', async (photos, quality) => {
  const results = { receive_listing: { result: { ...listing, photos } } };
  expect((await run(RatePhotos, results)).result).toEqual({ photos, quality });
});

describe('the policy', () => {
  it.each([
    [1000, ['a.jpg'], []],
    [1001, ['a.jpg'], ['price_too_high']],
    [1001, [], ['price_too_high', 'no_photos']],
  ])('finds for the price %i and the photos %j: %j', async (price_cents, photos, violations) => {
    const results = { price_listing: { result: { price_cents } }, rate_photos: { result: { photos } } };
    expect((await run(CheckPolicy, results, { max_price_cents: 1000 })).result).toEqual({
      approved: violations.length === 0,
      violations,
    });
  });
});

it('the price is converted, rounded', async () => {
  const results = { price_listing: { result: { price_cents: 1250 } } };
  expect((await run(ConvertPrice, results, { rates_percent: { GBP: 85 } })).result).toEqual({
    prices: { EUR: 1250, GBP: 1063 },
  });
});

it('a photo is tagged by its name', async () => {
  const results = { rate_photos: { result: { photos: listing.photos, quality: 'good' } } };
  expect((await run(TagPhotos, results)).result).toEqual({
    tags: [
      { file: 'front.jpg', tag: 'front' },
      { file: 'handle.png', tag: 'handle' },
    ],
  });
});

describe('the publication', () => {
  const results = {
    receive_listing: { result: listing },
    convert_price: { result: { prices: { EUR: 1250 } } },
    tag_photos: { result: { tags: [] } },
  };

  it('puts everything together', async () => {
    const check_policy = { result: { approved: true, violations: [] } };
    expect((await run(PublishListing, { ...results, check_policy })).result).toEqual({
      sku: 'MUG-1',
      title: 'Blue mug',
      status: 'published',
      prices: { EUR: 1250 },
      tags: [],
    });
  });

  it('fails for good when the policy is against it', async () => {
    const check_policy = { result: { approved: false, violations: ['no_photos'] } };
    expect(await run(PublishListing, { ...results, check_policy })).toMatchObject({
      success: false,
      errorMessage: 'The listing is against the policy: no_photos',
      retryable: false,
    });
  });
});
