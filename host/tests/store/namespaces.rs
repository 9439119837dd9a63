use tasker_wasm_host::store::{OperateError, Operator};

use super::support::{Bench, NAMESPACE, template_of};

fn by() -> Operator {
    Operator { actor: "grace".into(), reason: "the oven is cleaned".into() }
}

#[tokio::test]
async fn namespaces_show_what_waits_and_what_runs() {
    let bench = Bench::new().await;
    bench.store.register_template(&template_of("smithy")).await.unwrap();
    bench.task(&[("a", &[]), ("b", &[]), ("c", &[])]).await;
    bench.claim(1).await;
    let seen = bench.store.namespace_views().await.unwrap();
    let seen: Vec<_> = seen.iter().map(|view| (view.name.as_str(), view.queued, view.in_progress)).collect();
    assert_eq!(seen, [("bakery", 2, 1), ("smithy", 0, 0)]);
}

#[tokio::test]
async fn a_paused_namespace_is_claimed_from_again_when_it_is_resumed() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[])]).await;
    bench.store.pause_namespace(NAMESPACE, &by()).await.unwrap();
    assert!(bench.claim(1).await.is_empty());
    let paused = bench.store.namespace_views().await.unwrap().remove(0);
    assert_eq!(paused.paused_by.as_deref(), Some("grace"));
    assert_eq!(paused.pause_reason.as_deref(), Some("the oven is cleaned"));
    let later = Operator { actor: "ada".into(), ..by() };
    bench.store.pause_namespace(NAMESPACE, &later).await.unwrap();
    let again = bench.store.namespace_views().await.unwrap().remove(0);
    assert_eq!((again.paused_at, again.paused_by.as_deref()), (paused.paused_at, Some("ada")));

    bench.store.resume_namespace(NAMESPACE, "ada").await.unwrap();
    let resumed = bench.store.namespace_views().await.unwrap().remove(0);
    assert_eq!((resumed.paused_at, resumed.paused_by, resumed.pause_reason), (None, None, None));
    bench.claim_one().await;
}

#[tokio::test]
async fn a_bound_holds_until_it_is_lifted() {
    let bench = Bench::new().await;
    bench.task(&[("a", &[]), ("b", &[]), ("c", &[])]).await;
    bench.store.limit_namespace(NAMESPACE, Some(1), "ada").await.unwrap();
    assert_eq!(bench.claim(10).await.len(), 1);
    assert!(bench.claim(10).await.is_empty());
    bench.store.limit_namespace(NAMESPACE, None, "ada").await.unwrap();
    assert_eq!(bench.claim(10).await.len(), 2);
}

#[tokio::test]
async fn what_runs_is_counted_by_an_index_where_there_is_a_bound_and_only_there() {
    let bench = Bench::new().await;
    let indexes = async || -> Vec<String> {
        let vt = "select indexname::text from pg_indexes where schemaname = 'pgmq' and indexdef like '%(vt)'
            and tablename = 'q_worker_bakery_queue'";
        sqlx::query_scalar(vt).fetch_all(&bench.pool).await.unwrap()
    };
    assert_eq!(indexes().await, Vec::<String>::new());
    for bound in [1, 2] {
        bench.store.limit_namespace(NAMESPACE, Some(bound), "ada").await.unwrap();
        assert_eq!(indexes().await, ["q_worker_bakery_queue_vt_idx"]);
    }
    bench.store.limit_namespace(NAMESPACE, None, "ada").await.unwrap();
    assert_eq!(indexes().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_unknown_namespace_is_named_with_those_there_are() {
    let bench = Bench::new().await;
    for refusal in [
        bench.store.pause_namespace("bakry", &by()).await,
        bench.store.resume_namespace("bakry", "ada").await,
        bench.store.limit_namespace("bakry", Some(1), "ada").await,
    ] {
        match refusal.unwrap_err() {
            OperateError::UnknownNamespace { namespace, known } => {
                assert_eq!((namespace.as_str(), known), ("bakry", vec![NAMESPACE.to_owned()]));
            }
            other => panic!("{other}"),
        }
    }
}
