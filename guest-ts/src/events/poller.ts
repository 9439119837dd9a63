/**
 * Hands events of a poll function to callbacks. In a component nobody polls: the host delivers events to subscribers
 * one call each. This is for programs and tests that drive subscribers themselves.
 */

import { eventLogger } from './logger.js';
import { matchesPattern } from './pattern.js';
import { asError } from './sync-or-async.js';
import type { DomainEvent } from './types.js';

/** Gets an event; it is waited for before the next one is handed out. */
export type DomainEventCallback = (event: DomainEvent) => unknown;
/** Hears what a callback or the poll function threw. */
export type DomainEventErrorCallback = (error: Error) => void;

/** What a poller has done so far. */
export interface PollerStats {
  /** Poll cycles run. */
  readonly pollCount: number;
  readonly eventsProcessed: number;
  /** Cycles that took as many events as they may: more were probably waiting. */
  readonly eventsLagged: number;
  readonly running: boolean;
}

/** How often events are asked for, and how many at once. */
export interface DomainEventPollerConfig {
  /** Default 10. */
  readonly pollIntervalMs?: number;
  /** Default 100. */
  readonly maxEventsPerPoll?: number;
}

/** Asks a poll function for events, and hands each to the callbacks whose pattern it fits. */
export class InProcessDomainEventPoller {
  private readonly logger = eventLogger();
  private readonly pollIntervalMs: number;
  private readonly maxEventsPerPoll: number;
  private readonly callbacks = new Map<string, DomainEventCallback[]>();
  private readonly errorCallbacks: DomainEventErrorCallback[] = [];
  private poll: (() => DomainEvent | null) | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running = false;
  private pollCount = 0;
  private eventsProcessed = 0;
  private eventsLagged = 0;

  constructor(config: DomainEventPollerConfig = {}) {
    this.pollIntervalMs = config.pollIntervalMs ?? 10;
    this.maxEventsPerPoll = config.maxEventsPerPoll ?? 100;
  }

  setPollFunction(poll: () => DomainEvent | null): void {
    this.poll = poll;
  }

  subscribe(pattern: string, callback: DomainEventCallback): void {
    this.callbacks.set(pattern, [...(this.callbacks.get(pattern) ?? []), callback]);
  }

  unsubscribe(pattern: string): void {
    this.callbacks.delete(pattern);
  }

  onError(callback: DomainEventErrorCallback): void {
    this.errorCallbacks.push(callback);
  }

  /** @param callback gets every event, beside those subscribed */
  start(callback?: DomainEventCallback): void {
    if (this.running) {
      this.logger.warn('The event poller is already running');
      return;
    }
    if (callback !== undefined) {
      this.subscribe('*', callback);
    }
    this.running = true;
    this.schedule();
  }

  stop(): void {
    this.running = false;
    clearTimeout(this.timer);
  }

  get isRunning(): boolean {
    return this.running;
  }

  get stats(): PollerStats {
    const { pollCount, eventsProcessed, eventsLagged, running } = this;
    return { pollCount, eventsProcessed, eventsLagged, running };
  }

  private schedule(): void {
    if (this.running) {
      this.timer = setTimeout(() => void this.cycle(), this.pollIntervalMs);
    }
  }

  private async cycle(): Promise<void> {
    this.pollCount += 1;
    try {
      let taken = 0;
      for (; taken < this.maxEventsPerPoll; taken += 1) {
        const event = this.poll?.() ?? null;
        if (event === null) {
          break;
        }
        await this.deliver(event);
        this.eventsProcessed += 1;
      }
      if (taken === this.maxEventsPerPoll) {
        this.eventsLagged += 1;
        this.logger.warn({ max_events_per_poll: taken }, 'The event poller may lag behind');
      }
    } catch (error) {
      this.report(error);
    }
    this.schedule();
  }

  private async deliver(event: DomainEvent): Promise<void> {
    for (const [pattern, callbacks] of this.callbacks) {
      for (const callback of matchesPattern(event.eventName, pattern) ? callbacks : []) {
        try {
          await callback(event);
        } catch (error) {
          this.report(error);
        }
      }
    }
  }

  private report(thrown: unknown): void {
    const error = asError(thrown);
    this.logger.error({ error: error.message }, 'An event was not handled');
    for (const callback of this.errorCallbacks) {
      try {
        callback(error);
      } catch {
        // Whoever reports errors has nowhere to report its own.
      }
    }
  }
}
