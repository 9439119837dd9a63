//! What a component says of itself when it is loaded. A description that makes no sense is refused here, so that the
//! tables built from it hold only what can be called.

use std::collections::HashSet;

use super::attempt::Attempt;
use super::bindings::exports::tasker::handler::{handlers, publishers, subscribers};
use super::component::{ComponentError, Prepared};
use super::imports::log::Identity;
use super::invoke::run;
use super::limits::Limits;
use crate::config::limits::LimitSet;
use crate::registry::{HandlerDescriptor, PublisherDescriptor, Subscription};

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentInfo {
    /// The guest SDK.
    pub sdk: Sdk,
    /// Every handler in the component.
    pub handlers: Vec<HandlerDescriptor>,
    /// Every publisher; none when it does not export `publishers`.
    pub publishers: Vec<PublisherDescriptor>,
    /// What its subscribers want to hear; nothing when it does not export `subscribers`.
    pub subscriptions: Vec<Subscription>,
}

/// The guest SDK of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdk {
    /// e.g. `@tasker-wasm/guest`
    pub name: String,
    /// Its version.
    pub version: String,
    /// e.g. `typescript`, `rust`
    pub language: String,
}

/// What the component answers, as it answers it.
struct Described {
    info: handlers::ComponentInfo,
    publishers: Vec<publishers::PublisherDescriptor>,
    subscriptions: Vec<subscribers::Subscription>,
}

/// Asks the component what it carries.
pub(super) async fn describe(prepared: &Prepared, limits: &Limits) -> Result<ComponentInfo, ComponentError> {
    let attempt = Attempt::new(Identity::of_component(&prepared.name), limits, prepared);
    let described = run(
        prepared,
        limits,
        attempt,
        |store, instance| prepared.load(store, instance),
        async |guest, store| {
            let info = guest.handlers.call_describe(&mut *store).await?;
            let publishers = match &guest.publishers {
                Some(guest) => guest.call_list_publishers(&mut *store).await?,
                None => Vec::new(),
            };
            let subscriptions = match &guest.subscribers {
                Some(guest) => guest.call_list_subscriptions(&mut *store).await?,
                None => Vec::new(),
            };
            Ok(Described { info, publishers, subscriptions })
        },
    );
    let name = || prepared.name.clone();
    let described = described.await?.outcome.map_err(|source| ComponentError::Describe { name: name(), source })?;
    described.checked().map_err(|detail| ComponentError::Description { name: name(), detail })
}

impl Described {
    fn checked(self) -> Result<ComponentInfo, String> {
        let Self { info, publishers, subscriptions } = self;
        Ok(ComponentInfo {
            sdk: Sdk { name: info.sdk.name, version: info.sdk.version, language: info.sdk.language },
            handlers: info.handlers.into_iter().map(handler).collect::<Result<_, String>>()?,
            publishers: checked_publishers(publishers)?,
            subscriptions: subscriptions.into_iter().map(subscription).collect::<Result<_, String>>()?,
        })
    }
}

fn handler(handler: handlers::HandlerDescriptor) -> Result<HandlerDescriptor, String> {
    let config_schema = handler.config_schema.as_deref().map(serde_json::from_str).transpose();
    Ok(HandlerDescriptor {
        config_schema: config_schema
            .map_err(|error| format!("config-schema of {:?} is not JSON: {error}", handler.name))?,
        name: handler.name,
        version: handler.version,
        capabilities: handler.capabilities,
        methods: handler.methods,
        limits: LimitSet::default(),
    })
}

fn checked_publishers(publishers: Vec<publishers::PublisherDescriptor>) -> Result<Vec<PublisherDescriptor>, String> {
    let mut names = HashSet::new();
    for publisher in &publishers {
        if publisher.name.is_empty() {
            return Err("a publisher has no name".to_owned());
        }
        if !names.insert(publisher.name.as_str()) {
            return Err(format!("it lists the publisher {:?} twice", publisher.name));
        }
    }
    Ok(publishers
        .into_iter()
        .map(|publisher| PublisherDescriptor { name: publisher.name, reports: publisher.reports })
        .collect())
}

fn subscription(subscription: subscribers::Subscription) -> Result<Subscription, String> {
    let subscribers::Subscription { subscriber, patterns } = subscription;
    if subscriber.is_empty() {
        return Err("a subscriber has no name".to_owned());
    }
    if patterns.is_empty() || patterns.iter().any(String::is_empty) {
        return Err(format!(
            "the subscriber {subscriber:?} has no pattern, or an empty one; \"*\" stands for every event"
        ));
    }
    Ok(Subscription { subscriber, patterns })
}
