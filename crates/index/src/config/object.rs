//! One object by itself: from its spec to a value of the model, with all that is wrong with it.

use std::sync::Arc;

use api::istio::{Decoded, Kind, Object, decode};
use model::route::VirtualService;
use model::{
    Authentication, Authorization, DestinationRule, Diagnostic, EnvoyFilter, Gateway, Mesh,
    RequestAuthentication, Sidecar, Telemetry,
};

use super::virtual_service::Converted;
use super::{
    authentication, authorization, destination_rule, envoy_filter, gateway, place, reference,
    request_authentication, service_entry, sidecar, telemetry, virtual_service, without,
    workload_entry,
};
use crate::codes;
use crate::delegation::Root;
use crate::entries::{Entry, Workload};
use crate::report::Report;
use crate::roles::{Binding, Enabling, Role};

/// A value that an object became.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Gateway(Arc<Gateway>),
    VirtualService(Arc<VirtualService>),
    /// A virtual service that delegates.
    Root(Arc<Root>),
    /// A virtual service without hosts, for others to delegate to.
    Delegate(Arc<VirtualService>),
    DestinationRule(Arc<DestinationRule>),
    Authentication(Arc<Authentication>),
    Authorization(Arc<Authorization>),
    RequestAuthentication(Arc<RequestAuthentication>),
    Enabling(Arc<Enabling>),
    Role(Arc<Role>),
    Binding(Arc<Binding>),
    Telemetry(Arc<Telemetry>),
    EnvoyFilter(Arc<EnvoyFilter>),
    ServiceEntry(Arc<Entry>),
    WorkloadEntry(Arc<Workload>),
    Sidecar(Arc<Sidecar>),
}

macro_rules! variants {
    ($($name:ident: $variant:ident($of:ty)),* $(,)?) => {
        impl Item {
            $(pub(crate) fn $name(&self) -> Option<&Arc<$of>> {
                match self {
                    Item::$variant(value) => Some(value),
                    _ => None,
                }
            })*
        }
    };
}

variants! {
    gateway: Gateway(Gateway),
    virtual_service: VirtualService(VirtualService),
    root: Root(Root),
    delegate: Delegate(VirtualService),
    destination_rule: DestinationRule(DestinationRule),
    authentication: Authentication(Authentication),
    authorization: Authorization(Authorization),
    request_authentication: RequestAuthentication(RequestAuthentication),
    enabling: Enabling(Enabling),
    role: Role(Role),
    binding: Binding(Binding),
    telemetry: Telemetry(Telemetry),
    envoy_filter: EnvoyFilter(EnvoyFilter),
    service_entry: ServiceEntry(Entry),
    workload_entry: WorkloadEntry(Workload),
    sidecar: Sidecar(Sidecar),
}

/// What reading an object gave.
pub(super) struct Read {
    /// `None`, too, for objects that are good and have no effect.
    pub(super) item: Option<Item>,
    pub(super) refused: bool,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// What conversions need besides the spec.
pub(super) struct Context<'a> {
    pub(super) object: &'a Object,
    pub(super) mesh: &'a Mesh,
}

/// Reads an object. `has_last_good` tells what a refusal means.
pub(super) fn read(object: &Object, mesh: &Mesh, has_last_good: bool) -> Read {
    let refusal = match has_last_good {
        true => "the previous version of this object stays in force",
        false => "the object has no effect",
    };
    let location = object.location.as_ref().map(place);
    let mut report = Report::new(reference(&object.key), location, refusal);
    let context = Context { object, mesh };
    let item = convert(&context, &mut report);
    Read {
        refused: report.is_refused(),
        item: item.filter(|_| !report.is_refused()),
        diagnostics: report.into_diagnostics(),
    }
}

/// An equal value keeps its `Arc`, so that whoever holds it need not compare.
pub(super) fn reuse(new: Option<Item>, old: Option<Item>) -> Option<Item> {
    if new == old { old } else { new }
}

fn convert(context: &Context<'_>, report: &mut Report) -> Option<Item> {
    match context.object.key.kind {
        Kind::Gateway => {
            let spec = spec(context.object, report)?;
            let gateway = gateway::convert(spec, context, report)?;
            Some(Item::Gateway(Arc::new(gateway)))
        }
        Kind::VirtualService => {
            let spec = spec(context.object, report)?;
            Some(match virtual_service::convert(spec, context, report)? {
                Converted::Whole(service) => Item::VirtualService(Arc::new(service)),
                Converted::Root(root) => Item::Root(Arc::new(root)),
                Converted::Delegate(delegate) => Item::Delegate(Arc::new(delegate)),
            })
        }
        Kind::DestinationRule => {
            let spec = spec(context.object, report)?;
            let rule = destination_rule::convert(spec, context, report)?;
            Some(Item::DestinationRule(Arc::new(rule)))
        }
        Kind::MeshPolicy => {
            let spec = spec(context.object, report)?;
            demanded(authentication::mesh_policy(spec, context, report))
        }
        Kind::Policy => {
            let spec = spec(context.object, report)?;
            demanded(authentication::policy(spec, context, report))
        }
        Kind::PeerAuthentication => {
            let spec = spec(context.object, report)?;
            demanded(authentication::peer_authentication(spec, context, report))
        }
        Kind::AuthorizationPolicy => {
            let spec = spec(context.object, report)?;
            let policy = authorization::convert(spec, context, report)?;
            Some(Item::Authorization(Arc::new(policy)))
        }
        Kind::RequestAuthentication => {
            let spec = spec(context.object, report)?;
            let policy = request_authentication::convert(spec, context, report)?;
            Some(Item::RequestAuthentication(Arc::new(policy)))
        }
        Kind::Telemetry => {
            let spec = spec(context.object, report)?;
            let telemetry = telemetry::convert(spec, context, report)?;
            Some(Item::Telemetry(Arc::new(telemetry)))
        }
        Kind::EnvoyFilter => {
            let spec = spec(context.object, report)?;
            let filter = envoy_filter::convert(spec, context, report)?;
            Some(Item::EnvoyFilter(Arc::new(filter)))
        }
        Kind::ProxyConfig | Kind::WasmPlugin | Kind::TrafficExtension | Kind::WorkloadGroup => {
            without::explain(context, report);
            None
        }
        Kind::ServiceEntry => {
            let spec = spec(context.object, report)?;
            let entry = service_entry::convert(spec, context, report)?;
            Some(Item::ServiceEntry(Arc::new(entry)))
        }
        Kind::WorkloadEntry => {
            let spec = spec(context.object, report)?;
            let workload = workload_entry::convert(spec, context, report)?;
            Some(Item::WorkloadEntry(Arc::new(workload)))
        }
        Kind::Sidecar => {
            let spec = spec(context.object, report)?;
            let sidecar = sidecar::convert(spec, context, report)?;
            Some(Item::Sidecar(Arc::new(sidecar)))
        }
        Kind::RbacConfig | Kind::ClusterRbacConfig => {
            let spec = spec(context.object, report)?;
            let config = authorization::enabling(spec, context, report)?;
            Some(Item::Enabling(Arc::new(config)))
        }
        Kind::ServiceRole => {
            let spec = spec(context.object, report)?;
            let role = authorization::role(&spec, context, report);
            Some(Item::Role(Arc::new(role)))
        }
        Kind::ServiceRoleBinding => {
            let spec = spec(context.object, report)?;
            let binding = authorization::binding(&spec, context, report);
            Some(Item::Binding(Arc::new(binding)))
        }
    }
}

fn demanded(authentication: Option<Authentication>) -> Option<Item> {
    Some(Item::Authentication(Arc::new(authentication?)))
}

/// What to do about a value that cannot be read, from what serde says of it.
fn remedy(why: &str) -> &'static str {
    if why.contains("integer") && why.contains("expected a string") {
        "put the value into quotes; a duration also needs its unit, such as \"5s\""
    } else if why.contains("string") && why.contains("expected u") {
        "write a number, without quotes"
    } else if why.contains("expected u16") || why.contains("expected u32") {
        "write a number in the range of the field; ports end at 65535"
    } else {
        "correct the field; the schema is that of Istio's kind"
    }
}

pub(super) fn spec<T: serde::de::DeserializeOwned>(
    object: &Object,
    report: &mut Report,
) -> Option<T> {
    match decode(&object.spec) {
        Ok(Decoded { spec, ignored }) => {
            for field in ignored {
                report.warn(
                    codes::UNKNOWN_FIELD,
                    field,
                    "Pilothouse does not read this field",
                    "the field has no effect; the rest of the object has",
                    "check its spelling; if it is right, this version does not support it",
                );
            }
            Some(spec)
        }
        Err(error) => {
            let remedy = remedy(&error.why);
            report.refuse(codes::UNREADABLE, error.field, error.why, remedy);
            None
        }
    }
}
