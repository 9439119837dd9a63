//! Parts of WASI, declared as the attacks import them.

use super::guest::Lowered;

/// What a component declares and what its module calls.
pub(super) struct Imports {
    pub(super) declared: &'static str,
    pub(super) lowered: &'static [Lowered],
}

const fn lowered(name: &'static str, of: &'static str, core: &'static str) -> Lowered {
    Lowered { name, of, core }
}

pub(super) const LOG: Imports = Imports {
    declared: r#"(import "tasker:handler/log@0.1.0" (instance $log
    (type $level-is (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $level-is)))
    (export "emit" (func (param "level" $level) (param "message" string) (param "fields" string)))))"#,
    lowered: &[lowered("emit", r#"func $log "emit""#, "(param i32 i32 i32 i32 i32)")],
};

pub(super) const RANDOM: Imports = Imports {
    declared: r#"(import "wasi:random/random@0.2.12" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))"#,
    lowered: &[lowered("random", r#"func $random "get-random-bytes""#, "(param i64 i32)")],
};

pub(super) const ENVIRONMENT: Imports = Imports {
    declared: r#"(import "wasi:cli/environment@0.2.12" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))))"#,
    lowered: &[lowered("environment", r#"func $environment "get-environment""#, "(param i32)")],
};

pub(super) const PREOPENS: Imports = Imports {
    declared: r#"(import "wasi:filesystem/types@0.2.12" (instance $files (export "descriptor" (type (sub resource)))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.12" (instance $preopens
    (alias outer 1 $descriptor (type $descriptor-is))
    (export "descriptor" (type $descriptor (eq $descriptor-is)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))"#,
    lowered: &[lowered("directories", r#"func $preopens "get-directories""#, "(param i32)")],
};

pub(super) const SLEEP: Imports = Imports {
    declared: r#"(import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
    (alias outer 1 $pollable (type $pollable-is))
    (export "pollable" (type $pollable (eq $pollable-is)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))"#,
    lowered: &[
        lowered("block", r#"func $poll "[method]pollable.block""#, "(param i32)"),
        lowered("after", r#"func $clock "subscribe-duration""#, "(param i64) (result i32)"),
    ],
};

pub(super) const HTTP: Imports = Imports {
    declared: r#"(import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:http/types@0.2.12" (instance $http
    (alias outer 1 $pollable (type $pollable-is))
    (export "pollable" (type $pollable (eq $pollable-is)))
    (type $scheme-is (variant (case "HTTP") (case "HTTPS") (case "other" string)))
    (export "scheme" (type $scheme (eq $scheme-is)))
    (type $dns-is (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $dns (eq $dns-is)))
    (type $alert-is (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $alert (eq $alert-is)))
    (type $field-size-is (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $field-size (eq $field-size-is)))
    (type $error-code-is (variant
      (case "DNS-timeout") (case "DNS-error" $dns) (case "destination-not-found") (case "destination-unavailable")
      (case "destination-IP-prohibited") (case "destination-IP-unroutable") (case "connection-refused")
      (case "connection-terminated") (case "connection-timeout") (case "connection-read-timeout")
      (case "connection-write-timeout") (case "connection-limit-reached") (case "TLS-protocol-error")
      (case "TLS-certificate-error") (case "TLS-alert-received" $alert) (case "HTTP-request-denied")
      (case "HTTP-request-length-required") (case "HTTP-request-body-size" (option u64))
      (case "HTTP-request-method-invalid") (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long")
      (case "HTTP-request-header-section-size" (option u32)) (case "HTTP-request-header-size" (option $field-size))
      (case "HTTP-request-trailer-section-size" (option u32)) (case "HTTP-request-trailer-size" $field-size)
      (case "HTTP-response-incomplete") (case "HTTP-response-header-section-size" (option u32))
      (case "HTTP-response-header-size" $field-size) (case "HTTP-response-body-size" (option u64))
      (case "HTTP-response-trailer-section-size" (option u32)) (case "HTTP-response-trailer-size" $field-size)
      (case "HTTP-response-transfer-coding" (option string)) (case "HTTP-response-content-coding" (option string))
      (case "HTTP-response-timeout") (case "HTTP-upgrade-failed") (case "HTTP-protocol-error") (case "loop-detected")
      (case "configuration-error") (case "internal-error" (option string))))
    (export "error-code" (type $error-code (eq $error-code-is)))
    (type $header-error-is (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header-error (eq $header-error-is)))
    (export "fields" (type $fields (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append" (func
      (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
      (result (result (error $header-error)))))
    (export "outgoing-request" (type $outgoing-request (sub resource)))
    (export "[constructor]outgoing-request" (func (param "headers" (own $fields)) (result (own $outgoing-request))))
    (export "[method]outgoing-request.set-scheme" (func
      (param "self" (borrow $outgoing-request)) (param "scheme" (option $scheme)) (result (result))))
    (export "[method]outgoing-request.set-authority" (func
      (param "self" (borrow $outgoing-request)) (param "authority" (option string)) (result (result))))
    (export "[method]outgoing-request.set-path-with-query" (func
      (param "self" (borrow $outgoing-request)) (param "path-with-query" (option string)) (result (result))))
    (export "request-options" (type $request-options (sub resource)))
    (export "incoming-response" (type $incoming-response (sub resource)))
    (export "future-incoming-response" (type $future (sub resource)))
    (export "[method]future-incoming-response.subscribe" (func
      (param "self" (borrow $future)) (result (own $pollable))))
    (export "[method]future-incoming-response.get" (func
      (param "self" (borrow $future))
      (result (option (result (result (own $incoming-response) (error $error-code)))))))))
  (alias export $http "outgoing-request" (type $outgoing-request))
  (alias export $http "request-options" (type $request-options))
  (alias export $http "future-incoming-response" (type $future))
  (alias export $http "error-code" (type $error-code))
  (import "wasi:http/outgoing-handler@0.2.12" (instance $outgoing
    (alias outer 1 $outgoing-request (type $request-is))
    (export "outgoing-request" (type $request (eq $request-is)))
    (alias outer 1 $request-options (type $options-is))
    (export "request-options" (type $options (eq $options-is)))
    (alias outer 1 $future (type $future-is))
    (export "future-incoming-response" (type $future (eq $future-is)))
    (alias outer 1 $error-code (type $error-is))
    (export "error-code" (type $error (eq $error-is)))
    (export "handle" (func
      (param "request" (own $request)) (param "options" (option (own $options)))
      (result (result (own $future) (error $error)))))))"#,
    lowered: &[
        lowered("block", r#"func $poll "[method]pollable.block""#, "(param i32)"),
        lowered("fields", r#"func $http "[constructor]fields""#, "(result i32)"),
        lowered("append", r#"func $http "[method]fields.append""#, "(param i32 i32 i32 i32 i32 i32)"),
        lowered("request", r#"func $http "[constructor]outgoing-request""#, "(param i32) (result i32)"),
        lowered(
            "set-scheme",
            r#"func $http "[method]outgoing-request.set-scheme""#,
            "(param i32 i32 i32 i32 i32) (result i32)",
        ),
        lowered(
            "set-authority",
            r#"func $http "[method]outgoing-request.set-authority""#,
            "(param i32 i32 i32 i32) (result i32)",
        ),
        lowered(
            "set-path",
            r#"func $http "[method]outgoing-request.set-path-with-query""#,
            "(param i32 i32 i32 i32) (result i32)",
        ),
        lowered("send", r#"func $outgoing "handle""#, "(param i32 i32 i32 i32)"),
        lowered("subscribe", r#"func $http "[method]future-incoming-response.subscribe""#, "(param i32) (result i32)"),
        lowered("get", r#"func $http "[method]future-incoming-response.get""#, "(param i32 i32)"),
    ],
};
