;; The smallest handler component: takes any step context and succeeds with {}. What it costs to run is the floor of the
;; sandbox, and what a language engine adds is measured against it.
;;
;; Tests make other guests of it by putting another function between the two marks.
(component
  ;; Functions of an interface may only use types that have names. These get theirs from the interface `types`, ...
  (import "tasker:handler/types@0.1.0" (instance $types
    (type $maybe-string (option string))
    (type $strings (list string))
    (type $json-is string)
    (export "json" (type $json (eq $json-is)))
    (export "uuid" (type $uuid (eq $json-is)))
    (type $handler-ref-is (record
      (field "callable" string) (field "method" $maybe-string) (field "resolver" $maybe-string)))
    (export "handler-ref" (type $handler-ref (eq $handler-ref-is)))
    (type $step-context-is (record
      (field "task-uuid" $uuid) (field "step-uuid" $uuid) (field "correlation-id" $uuid) (field "handler" $handler-ref)
      (field "attempts" u32) (field "max-attempts" u32) (field "time-budget-ms" u32) (field "event" $json)))
    (export "step-context" (type $step-context (eq $step-context-is)))
    (type $error-type-is (variant
      (case "permanent-error") (case "retryable-error") (case "validation-error") (case "timeout") (case "handler-error")
      (case "other" string)))
    (export "error-type" (type $error-type (eq $error-type-is)))
    (type $success-is (record (field "result" $json) (field "metadata" $json)))
    (export "success" (type $success (eq $success-is)))
    (type $failure-is (record
      (field "message" string) (field "error-type" $error-type) (field "error-code" $maybe-string)
      (field "retryable" bool) (field "metadata" $json) (field "backtrace" $strings)))
    (export "failure" (type $failure (eq $failure-is)))
    (type $maybe-json (option $json))
    (type $checkpoint-yield-is (record
      (field "cursor" $json) (field "items-processed" u64) (field "accumulated-results" $maybe-json)))
    (export "checkpoint-yield" (type $checkpoint-yield (eq $checkpoint-yield-is)))
    (type $step-outcome-is (variant
      (case "success" $success) (case "failure" $failure) (case "checkpoint" $checkpoint-yield)))
    (export "step-outcome" (type $step-outcome (eq $step-outcome-is)))
    (type $method-is (tuple string string))
    (type $dispatch-error-is (variant
      (case "handler-not-found" string) (case "resolver-not-found" string) (case "method-not-found" $method-is)
      (case "handler-init-failed" string) (case "invalid-context" string)))
    (export "dispatch-error" (type $dispatch-error (eq $dispatch-error-is)))))
  (alias export $types "json" (type $json))
  (alias export $types "uuid" (type $uuid))
  (alias export $types "handler-ref" (type $handler-ref))
  (alias export $types "step-context" (type $step-context))
  (alias export $types "error-type" (type $error-type))
  (alias export $types "success" (type $success))
  (alias export $types "failure" (type $failure))
  (alias export $types "checkpoint-yield" (type $checkpoint-yield))
  (alias export $types "step-outcome" (type $step-outcome))
  (alias export $types "dispatch-error" (type $dispatch-error))

  (core module $guest
    (memory (export "memory") 1)

    ;; Strings, and the values the two functions return, laid out as the canonical ABI wants them.
    (data (i32.const 16) "floor")                                      ;; length 5
    (data (i32.const 32) "0.1.0")                                      ;; length 5
    (data (i32.const 48) "wat")                                        ;; length 3
    (data (i32.const 64) "call")                                       ;; length 4
    (data (i32.const 80) "{}")                                         ;; length 2
    ;; list of methods: "call"
    (data (i32.const 96) "\40\00\00\00\04\00\00\00")
    ;; handler-descriptor: name, version, no capabilities, methods, no config-schema
    (data (i32.const 128) "\10\00\00\00\05\00\00\00\20\00\00\00\05\00\00\00\00\00\00\00\00\00\00\00\60\00\00\00\01\00\00\00")
    ;; component-info: sdk name, version, language; list of handlers
    (data (i32.const 192) "\10\00\00\00\05\00\00\00\20\00\00\00\05\00\00\00\30\00\00\00\03\00\00\00\80\00\00\00\01\00\00\00")
    ;; ok(success({ result: "{}", metadata: "{}" })) at 256: both cases are 0, and each takes 8 bytes
    (data (i32.const 272) "\50\00\00\00\02\00\00\00\50\00\00\00\02\00\00\00")

    ;; Gives out memory and never takes it back: an instance lives for one call.
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32) (local $missing i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $at) (local.get $size)))
      (local.set $missing
        (i32.sub (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (if (i32.gt_s (local.get $missing) (i32.const 0))
        (then
          (if (i32.eq
                (memory.grow (i32.add (i32.div_u (local.get $missing) (i32.const 65536)) (i32.const 1)))
                (i32.const -1))
            (then unreachable))))
      (local.get $at))

    (func (export "describe") (result i32) (i32.const 192))

    ;; begin handle
    (func $handle (export "handle") (param $context i32) (result i32) (i32.const 256))
    ;; end handle
  )
  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))

  (type $sdk-info (record (field "name" string) (field "version" string) (field "language" string)))
  (type $handler-descriptor (record
    (field "name" string) (field "version" string) (field "capabilities" (list string)) (field "methods" (list string))
    (field "config-schema" (option $json))))
  (type $component-info (record (field "sdk" $sdk-info) (field "handlers" (list $handler-descriptor))))
  (func $describe (result $component-info)
    (canon lift (core func $guest "describe") (memory $memory)))
  (func $handle (param "context" $step-context) (result (result $step-outcome (error $dispatch-error)))
    (canon lift (core func $guest "handle") (memory $memory) (realloc $realloc)))

  ;; ... and the others get them on their way through a component that does nothing else.
  (component $interface
    (type $maybe-string (option string))
    (type $strings (list string))
    (type $json-is string)
    (import "type-json" (type $json (eq $json-is)))
    (import "type-uuid" (type $uuid (eq $json-is)))
    (type $handler-ref-is (record
      (field "callable" string) (field "method" $maybe-string) (field "resolver" $maybe-string)))
    (import "type-handler-ref" (type $handler-ref (eq $handler-ref-is)))
    (type $step-context-is (record
      (field "task-uuid" $uuid) (field "step-uuid" $uuid) (field "correlation-id" $uuid) (field "handler" $handler-ref)
      (field "attempts" u32) (field "max-attempts" u32) (field "time-budget-ms" u32) (field "event" $json)))
    (import "type-step-context" (type $step-context (eq $step-context-is)))
    (type $error-type-is (variant
      (case "permanent-error") (case "retryable-error") (case "validation-error") (case "timeout") (case "handler-error")
      (case "other" string)))
    (import "type-error-type" (type $error-type (eq $error-type-is)))
    (type $success-is (record (field "result" $json) (field "metadata" $json)))
    (import "type-success" (type $success (eq $success-is)))
    (type $failure-is (record
      (field "message" string) (field "error-type" $error-type) (field "error-code" $maybe-string)
      (field "retryable" bool) (field "metadata" $json) (field "backtrace" $strings)))
    (import "type-failure" (type $failure (eq $failure-is)))
    (type $maybe-json (option $json))
    (type $checkpoint-yield-is (record
      (field "cursor" $json) (field "items-processed" u64) (field "accumulated-results" $maybe-json)))
    (import "type-checkpoint-yield" (type $checkpoint-yield (eq $checkpoint-yield-is)))
    (type $step-outcome-is (variant
      (case "success" $success) (case "failure" $failure) (case "checkpoint" $checkpoint-yield)))
    (import "type-step-outcome" (type $step-outcome (eq $step-outcome-is)))
    (type $method-is (tuple string string))
    (type $dispatch-error-is (variant
      (case "handler-not-found" string) (case "resolver-not-found" string) (case "method-not-found" $method-is)
      (case "handler-init-failed" string) (case "invalid-context" string)))
    (import "type-dispatch-error" (type $dispatch-error (eq $dispatch-error-is)))
    (type $sdk-info-is (record (field "name" string) (field "version" string) (field "language" string)))
    (import "type-sdk-info" (type $sdk-info (eq $sdk-info-is)))
    (type $handler-descriptor-is (record
      (field "name" string) (field "version" string) (field "capabilities" $strings) (field "methods" $strings)
      (field "config-schema" (option $json))))
    (import "type-handler-descriptor" (type $handler-descriptor (eq $handler-descriptor-is)))
    (type $component-info-is (record (field "sdk" $sdk-info) (field "handlers" (list $handler-descriptor))))
    (import "type-component-info" (type $component-info (eq $component-info-is)))
    (import "function-describe" (func $describe (result $component-info)))
    (import "function-handle" (func $handle
      (param "context" $step-context) (result (result $step-outcome (error $dispatch-error)))))

    (export $json-named "json" (type $json))
    (export $step-context-named "step-context" (type $step-context))
    (export $step-outcome-named "step-outcome" (type $step-outcome))
    (export $dispatch-error-named "dispatch-error" (type $dispatch-error))
    (export $sdk-info-named "sdk-info" (type $sdk-info-is))
    (type $handler-descriptor-named-is (record
      (field "name" string) (field "version" string) (field "capabilities" $strings) (field "methods" $strings)
      (field "config-schema" (option $json-named))))
    (export $handler-descriptor-named "handler-descriptor" (type $handler-descriptor-named-is))
    (type $component-info-named-is (record
      (field "sdk" $sdk-info-named) (field "handlers" (list $handler-descriptor-named))))
    (export $component-info-named "component-info" (type $component-info-named-is))
    (export "describe" (func $describe) (func (result $component-info-named)))
    (export "handle" (func $handle) (func
      (param "context" $step-context-named) (result (result $step-outcome-named (error $dispatch-error-named))))))
  (instance $handlers (instantiate $interface
    (with "type-json" (type $json))
    (with "type-uuid" (type $uuid))
    (with "type-handler-ref" (type $handler-ref))
    (with "type-step-context" (type $step-context))
    (with "type-error-type" (type $error-type))
    (with "type-success" (type $success))
    (with "type-failure" (type $failure))
    (with "type-checkpoint-yield" (type $checkpoint-yield))
    (with "type-step-outcome" (type $step-outcome))
    (with "type-dispatch-error" (type $dispatch-error))
    (with "type-sdk-info" (type $sdk-info))
    (with "type-handler-descriptor" (type $handler-descriptor))
    (with "type-component-info" (type $component-info))
    (with "function-describe" (func $describe))
    (with "function-handle" (func $handle))))
  (export "tasker:handler/handlers@0.1.0" (instance $handlers)))
