/** Every name handlers import, flat at the root, and no other. The types among them are in `types/`. */

import { expect, it } from 'vitest';
import * as sdk from '../src/index.js';

const NAMES: Readonly<Record<string, string>> = {
  'the base handler': 'StepHandler',
  'the step context': 'StepContext',
  'results and errors':
    'StepHandlerResult ErrorType isStandardErrorType isTypicallyRetryable PermanentError RetryableError',
  'API handlers': 'ApiHandler ApiResponse APIMixin applyAPI',
  decisions: 'DecisionType DecisionHandler DecisionStepHandler DecisionMixin applyDecision',
  batches:
    'BatchableMixin BatchableStepHandler applyBatchable aggregateBatchResults detectAggregationScenario createBatches ' +
    'noBatches isNoBatches isCreateBatches createBatchWorkerContext',
  'checkpoints while a call goes on': 'saveCheckpoint CheckpointError setCheckpointRuntime clearCheckpointRuntime',
  'handlers made of functions':
    'defineHandler defineDecisionHandler defineBatchAnalyzer defineBatchWorker defineApiHandler Decision',
  'registry and resolvers':
    'HandlerRegistry ResolverChain ExplicitMappingResolver ClassLookupResolver RegistryResolver MethodDispatchWrapper ' +
    'ResolutionError ResolverNotFoundError NoResolverMatchError MethodDispatchError HandlerInitError effectiveMethod ' +
    'usesMethodDispatch hasResolverHint fromCallable fromDto normalizeToDefinition',
  'domain events':
    'BasePublisher DefaultPublisher BaseSubscriber PublisherRegistry SubscriberRegistry InProcessDomainEventPoller ' +
    'createStepEventContext createDomainEvent ffiEventToDomainEvent createFfiPollAdapter PublisherNotFoundError ' +
    'PublisherValidationError RegistryFrozenError DuplicatePublisherError',
  'direct events': 'publishEvent EventPublishError setEventRuntime clearEventRuntime',
  logging: 'createLogger logError logWarn logInfo logDebug logTrace setLoggingRuntime clearLoggingRuntime',
  'the client': 'TaskerClient TaskerClientError getFfiLayer getTaskerClient setClientRuntime clearClientRuntime',
};

it.each(Object.entries(NAMES))('%s', (_what, names) => {
  for (const name of names.split(' ')) {
    expect(['function', 'object'], name).toContain(typeof (sdk as Record<string, unknown>)[name]);
  }
});

it('nothing else', () => {
  const known = Object.values(NAMES).flatMap((names) => names.split(' '));
  expect(Object.keys(sdk).sort()).toEqual([...known].sort());
});
