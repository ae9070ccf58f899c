//! Which pages of other origins may read answers: configuration of the CORS filter for one route.

use model::route::Cors;

use super::matcher;
use crate::{message, pb};

pub(super) fn build(policy: &Cors) -> pb::Any {
    let origins = policy.origins.iter();
    message::any(&pb::cors::CorsPolicy {
        allow_origin_string_match: origins.filter_map(matcher::string).collect(),
        allow_methods: policy.methods.join(","),
        allow_headers: policy.headers.join(","),
        expose_headers: policy.expose.join(","),
        max_age: policy
            .max_age
            .map(|age| age.as_secs().to_string())
            .unwrap_or_default(),
        allow_credentials: policy.credentials.map(|value| pb::BoolValue { value }),
        // Envoy's own default is to let the service answer.
        forward_not_matching_preflights: policy.ignore_unmatched.then(message::no).flatten(),
        ..Default::default()
    })
}
