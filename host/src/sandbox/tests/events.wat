  ;; Publishers and subscribers, put into the floor guest. What a call does follows from the first letter of the name it
  ;; is for:
  ;;   publishers   P publishes the context it was given, S skips, E answers an error, T crashes, L loops, B is no JSON
  ;;   subscribers  a takes the event, e answers an error, t crashes, l loops
  (core module $events
    (memory (export "memory") 1)
    (data (i32.const 16) "PaidSkipErrTrapLoopBad")
    (data (i32.const 48) "audit") (data (i32.const 64) "order.*") (data (i32.const 80) "*")
    (data (i32.const 96) "errs") (data (i32.const 112) "traps") (data (i32.const 128) "{\"by\":\"wat\"}")
    (data (i32.const 160) "no price")
    ;; publisher-descriptor: name, reports
    (data (i32.const 256)
      "\10\00\00\00\04\00\00\00\01\00\00\00" "\14\00\00\00\04\00\00\00\00\00\00\00" "\18\00\00\00\03\00\00\00\00\00\00\00"
      "\1b\00\00\00\04\00\00\00\00\00\00\00" "\1f\00\00\00\04\00\00\00\00\00\00\00" "\23\00\00\00\03\00\00\00\00\00\00\00")
    (data (i32.const 336) "\00\01\00\00\06\00\00\00")
    ;; lists of patterns: "order.*", "*"; and "*"
    (data (i32.const 352) "\40\00\00\00\07\00\00\00" "\50\00\00\00\01\00\00\00")
    ;; subscription: subscriber, patterns
    (data (i32.const 384)
      "\30\00\00\00\05\00\00\00\60\01\00\00\01\00\00\00" "\60\00\00\00\04\00\00\00\68\01\00\00\01\00\00\00"
      "\70\00\00\00\05\00\00\00\68\01\00\00\01\00\00\00")
    (data (i32.const 448) "\80\01\00\00\03\00\00\00")
    ;; err("no price"), of a prepared event and of a delivered one
    (data (i32.const 512) "\01\00\00\00\a0\00\00\00\08\00\00\00")
    ;; ok(publish({ payload: what is written at 552, metadata })), ok(skip), ok
    (data (i32.const 560) "\80\00\00\00\0c\00\00\00")
    (data (i32.const 576) "\00\00\00\00\01\00\00\00")

    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $at) (local.get $size)))
      (drop (memory.grow (i32.div_u (local.get $size) (i32.const 65536))))
      (local.get $at))

    (func (export "list-publishers") (result i32) (i32.const 336))
    (func (export "list-subscriptions") (result i32) (i32.const 448))
    (func $is (param $name i32) (param $letter i32) (result i32)
      (i32.eq (i32.load8_u (local.get $name)) (local.get $letter)))

    (func (export "prepare")
      (param $name i32) (param $name-length i32) (param $context i32) (param $context-length i32) (result i32)
      (if (call $is (local.get $name) (i32.const 0x50)) (then
        (i32.store (i32.const 552) (local.get $context))
        (i32.store (i32.const 556) (local.get $context-length))
        (return (i32.const 544))))
      (if (call $is (local.get $name) (i32.const 0x42)) (then
        (i32.store (i32.const 552) (i32.const 16))
        (i32.store (i32.const 556) (i32.const 3))
        (return (i32.const 544))))
      (if (call $is (local.get $name) (i32.const 0x53)) (then (return (i32.const 576))))
      (if (call $is (local.get $name) (i32.const 0x45)) (then (return (i32.const 512))))
      (if (call $is (local.get $name) (i32.const 0x4c)) (then (loop $again (br $again))))
      unreachable)

    ;; Crashes when the event did not leave, so that a test sees what it was told.
    (func (export "published")
      (param i32 i32 i32 i32 i32 i32 i32 i32) (param $failed i32) (param i32 i32)
      (if (local.get $failed) (then unreachable)))

    (func (export "on-event")
      (param $name i32) (param $name-length i32) (param $event i32) (param $event-length i32) (result i32)
      (if (call $is (local.get $name) (i32.const 0x61)) (then (return (i32.const 592))))
      (if (call $is (local.get $name) (i32.const 0x65)) (then (return (i32.const 512))))
      (if (call $is (local.get $name) (i32.const 0x6c)) (then (loop $again (br $again))))
      unreachable)
  )
  (core instance $events (instantiate $events))
  (alias core export $events "memory" (core memory $events-memory))
  (alias core export $events "realloc" (core func $events-realloc))

  (type $publisher-descriptor (record (field "name" string) (field "reports" bool)))
  (type $publish-request (record (field "publisher" string) (field "context" $json)))
  (type $publication (record (field "payload" $json) (field "metadata" $json)))
  (type $publish-decision (variant (case "publish" $publication) (case "skip")))
  (func $list-publishers (result (list $publisher-descriptor))
    (canon lift (core func $events "list-publishers") (memory $events-memory)))
  (func $prepare (param "request" $publish-request) (result (result $publish-decision (error string)))
    (canon lift (core func $events "prepare") (memory $events-memory) (realloc $events-realloc)))
  (func $published
    (param "request" $publish-request) (param "publication" $publication) (param "failure" (option string))
    (canon lift (core func $events "published") (memory $events-memory) (realloc $events-realloc)))
  (component $publishers-interface
    (type $json-is string)
    (import "type-json" (type $json (eq $json-is)))
    (type $descriptor-is (record (field "name" string) (field "reports" bool)))
    (import "type-publisher-descriptor" (type $descriptor (eq $descriptor-is)))
    (type $request-is (record (field "publisher" string) (field "context" $json)))
    (import "type-publish-request" (type $request (eq $request-is)))
    (type $publication-is (record (field "payload" $json) (field "metadata" $json)))
    (import "type-publication" (type $publication (eq $publication-is)))
    (type $decision-is (variant (case "publish" $publication) (case "skip")))
    (import "type-publish-decision" (type $decision (eq $decision-is)))
    (import "function-list" (func $list (result (list $descriptor))))
    (import "function-prepare" (func $prepare
      (param "request" $request) (result (result $decision (error string)))))
    (import "function-published" (func $published
      (param "request" $request) (param "publication" $publication) (param "failure" (option string))))
    (export $json-named "json" (type $json))
    (export $descriptor-named "publisher-descriptor" (type $descriptor-is))
    (type $request-named-is (record (field "publisher" string) (field "context" $json-named)))
    (export $request-named "publish-request" (type $request-named-is))
    (type $publication-named-is (record (field "payload" $json-named) (field "metadata" $json-named)))
    (export $publication-named "publication" (type $publication-named-is))
    (type $decision-named-is (variant (case "publish" $publication-named) (case "skip")))
    (export $decision-named "publish-decision" (type $decision-named-is))
    (export "list-publishers" (func $list) (func (result (list $descriptor-named))))
    (export "prepare" (func $prepare) (func
      (param "request" $request-named) (result (result $decision-named (error string)))))
    (export "published" (func $published) (func
      (param "request" $request-named) (param "publication" $publication-named) (param "failure" (option string)))))
  (instance $publishers (instantiate $publishers-interface
    (with "type-json" (type $json))
    (with "type-publisher-descriptor" (type $publisher-descriptor))
    (with "type-publish-request" (type $publish-request))
    (with "type-publication" (type $publication))
    (with "type-publish-decision" (type $publish-decision))
    (with "function-list" (func $list-publishers))
    (with "function-prepare" (func $prepare))
    (with "function-published" (func $published))))
  (export "tasker:handler/publishers@0.1.0" (instance $publishers))

  (type $subscription (record (field "subscriber" string) (field "patterns" (list string))))
  (func $list-subscriptions (result (list $subscription))
    (canon lift (core func $events "list-subscriptions") (memory $events-memory)))
  (func $on-event (param "subscriber" string) (param "event" $json) (result (result (error string)))
    (canon lift (core func $events "on-event") (memory $events-memory) (realloc $events-realloc)))
  (component $subscribers-interface
    (type $json-is string)
    (import "type-json" (type $json (eq $json-is)))
    (type $subscription-is (record (field "subscriber" string) (field "patterns" (list string))))
    (import "type-subscription" (type $subscription (eq $subscription-is)))
    (import "function-list" (func $list (result (list $subscription))))
    (import "function-on-event" (func $on-event
      (param "subscriber" string) (param "event" $json) (result (result (error string)))))
    (export $json-named "json" (type $json))
    (export $subscription-named "subscription" (type $subscription-is))
    (export "list-subscriptions" (func $list) (func (result (list $subscription-named))))
    (export "on-event" (func $on-event) (func
      (param "subscriber" string) (param "event" $json-named) (result (result (error string))))))
  (instance $subscribers (instantiate $subscribers-interface
    (with "type-json" (type $json))
    (with "type-subscription" (type $subscription))
    (with "function-list" (func $list-subscriptions))
    (with "function-on-event" (func $on-event))))
  (export "tasker:handler/subscribers@0.1.0" (instance $subscribers))
