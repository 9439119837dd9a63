/** What a step handler may import, all of it flat. */

export { ApiHandler } from './api/handler.js';
export { type APICapable, APIMixin, applyAPI } from './api/mixin.js';
export type { BodyOptions, QueryOptions, QueryParams } from './api/requests.js';
export { ApiResponse } from './api/response.js';
export {
  aggregateBatchResults,
  type BatchAggregationResult,
  type BatchAggregationScenario,
  detectAggregationScenario,
} from './batch/aggregation.js';
export { applyBatchable, type Batchable, BatchableMixin } from './batch/batchable.js';
export type { BatchWorkerConfig, CursorConfig } from './batch/cursors.js';
export { BatchableStepHandler } from './batch/handler.js';
export {
  type BatchMetadata,
  type BatchProcessingOutcome,
  type CreateBatchesOutcome,
  createBatches,
  type FailureStrategy,
  isCreateBatches,
  isNoBatches,
  type NoBatchesOutcome,
  noBatches,
  type RustBatchWorkerInputs,
  type RustCursorConfig,
} from './batch/outcome.js';
export type { BatchAnalyzerOutcome, BatchableResult, BatchWorkerOutcome } from './batch/results.js';
export { type BatchWorkerContext, createBatchWorkerContext } from './batch/worker-context.js';
export type { Progress } from './checkpoint/progress.js';
export {
  CheckpointError,
  type CheckpointRuntime,
  clearCheckpointRuntime,
  saveCheckpoint,
  setCheckpointRuntime,
} from './checkpoint/save.js';
export type { CheckpointYieldData } from './checkpoint/yield.js';
export {
  type CreateTaskOptions,
  getFfiLayer,
  getTaskerClient,
  type ListTasksOptions,
  TaskerClient,
} from './client/client.js';
export type {
  CancelTaskResponse,
  HealthCheckResponse,
  PaginationInfo,
  StepAuditResponse,
  StepReadinessStatus,
  StepResponse,
  TaskListResponse,
  TaskResponse,
} from './client/responses.js';
export {
  type ClientLayer,
  type ClientRuntime,
  clearClientRuntime,
  setClientRuntime,
  TaskerClientError,
  type TaskQuery,
  type TaskSubmission,
} from './client/runtime.js';
export { DecisionHandler, DecisionStepHandler } from './decision/handler.js';
export { applyDecision, type DecisionCapable, DecisionMixin } from './decision/mixin.js';
export { type DecisionPointOutcome, DecisionType } from './decision/outcome.js';
export { type ApiHandlerArgs, type ApiHandlerOptions, defineApiHandler } from './dsl/api.js';
export { type BatchConfig, defineBatchAnalyzer, defineBatchWorker } from './dsl/batch.js';
export { Decision, defineDecisionHandler } from './dsl/decision.js';
export {
  type DefinedHandler,
  defineHandler,
  type HandlerArgs,
  type HandlerFn,
  type HandlerOptions,
} from './dsl/define.js';
export * from './events/index.js';
export {
  type ExecutableHandler,
  StepHandler,
  type StepHandlerClass,
} from './handler/step-handler.js';
export {
  clearLoggingRuntime,
  createLogger,
  type LogFields,
  type Logger,
  type LoggingRuntime,
  logDebug,
  logError,
  logInfo,
  logTrace,
  logWarn,
  setLoggingRuntime,
} from './logging/index.js';
export type { BaseResolver, ResolverConfig } from './registry/base-resolver.js';
export { ClassLookupResolver } from './registry/class-lookup.js';
export {
  HandlerInitError,
  MethodDispatchError,
  NoResolverMatchError,
  ResolutionError,
  ResolverNotFoundError,
} from './registry/errors.js';
export {
  ExplicitMappingResolver,
  type HandlerEntry,
  type HandlerFactory,
} from './registry/explicit-mapping.js';
export {
  effectiveMethod,
  fromCallable,
  fromDto,
  type HandlerDefinition,
  type HandlerDefinitionDto,
  type HandlerSpec,
  hasResolverHint,
  normalizeToDefinition,
  usesMethodDispatch,
} from './registry/handler-definition.js';
export { HandlerRegistry, type HandlerRegistryInterface } from './registry/handler-registry.js';
export { MethodDispatchWrapper } from './registry/method-dispatch.js';
export { RegistryResolver, type RegistryResolverStatic } from './registry/registry-resolver.js';
export { ResolverChain } from './registry/resolver-chain.js';
export { ErrorType, isStandardErrorType, isTypicallyRetryable } from './types/error-type.js';
export { PermanentError, RetryableError } from './types/errors.js';
export { StepContext, type StepContextParams } from './types/step-context.js';
export type {
  Checkpoint,
  FfiStepEvent,
  NestedStepEvent,
  StepDefinition,
  TaskInfo,
  WorkflowStepInfo,
} from './types/step-event.js';
export {
  type BackoffHint,
  type OrchestrationMetadata,
  StepHandlerResult,
  type StepHandlerResultParams,
} from './types/step-handler-result.js';
