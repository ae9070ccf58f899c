//! The small messages of which the large ones are made.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use model::Cidr;
use model::route::Share;
use prost::Name;

use crate::canonical::{self, Canonical};
use crate::pb;

/// How long a proxy waits for a resource that it asked for. Istio waits for ever and Envoy's own
/// default is 15 s; a bounded wait costs one stall where an answer is lost, and never a hang.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn any<M: Canonical + Name>(message: &M) -> pb::Any {
    pb::Any {
        type_url: M::type_url(),
        value: canonical::encode(message),
    }
}

/// Durations beyond what protobuf can hold are cut to its maximum, some 10,000 years.
pub(crate) fn duration(duration: Duration) -> pb::Duration {
    const MAX_SECONDS: u64 = 315_576_000_000;
    pb::Duration {
        seconds: duration.as_secs().min(MAX_SECONDS) as i64,
        nanos: duration.subsec_nanos() as i32,
    }
}

pub(crate) fn yes() -> Option<pb::BoolValue> {
    Some(pb::BoolValue { value: true })
}

pub(crate) fn no() -> Option<pb::BoolValue> {
    Some(pb::BoolValue { value: false })
}

pub(crate) fn number(value: u32) -> Option<pb::UInt32Value> {
    Some(pb::UInt32Value { value })
}

/// A share of 100.
pub(crate) fn percent(share: Share) -> pb::percent::Percent {
    pb::percent::Percent {
        value: f64::from(share.millionths()) / 10_000.0,
    }
}

pub(crate) fn socket_address(address: SocketAddr) -> pb::core::SocketAddress {
    use pb::core::socket_address::PortSpecifier;
    pb::core::SocketAddress {
        address: address.ip().to_string(),
        port_specifier: Some(PortSpecifier::PortValue(address.port().into())),
        ..Default::default()
    }
}

pub(crate) fn address(address: SocketAddr) -> pb::core::Address {
    use pb::core::address::Address;
    pb::core::Address {
        address: Some(Address::SocketAddress(socket_address(address))),
    }
}

/// A socket on the proxy's own machine.
pub(crate) fn pipe(path: &str) -> pb::core::Address {
    pb::core::Address {
        address: Some(pb::core::address::Address::Pipe(pb::core::Pipe {
            path: path.to_owned(),
            ..Default::default()
        })),
    }
}

/// The range that holds this address alone.
pub(crate) fn single_address(ip: IpAddr) -> pb::core::CidrRange {
    pb::core::CidrRange {
        address_prefix: ip.to_string(),
        prefix_len: number(if ip.is_ipv4() { 32 } else { 128 }),
    }
}

pub(crate) fn range(subnet: Cidr) -> pb::core::CidrRange {
    pb::core::CidrRange {
        address_prefix: subnet.address().to_string(),
        prefix_len: number(subnet.length().into()),
    }
}

/// The stream on which the referring resource itself came.
pub(crate) fn ads() -> pb::core::ConfigSource {
    use pb::core::config_source::ConfigSourceSpecifier;
    pb::core::ConfigSource {
        initial_fetch_timeout: Some(duration(FETCH_TIMEOUT)),
        resource_api_version: pb::core::ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(Default::default())),
        ..Default::default()
    }
}

pub(crate) fn inline_string(text: String) -> pb::core::DataSource {
    use pb::core::data_source::Specifier;
    pb::core::DataSource {
        specifier: Some(Specifier::InlineString(text)),
        ..Default::default()
    }
}

pub(crate) fn regex(pattern: &str) -> pb::matcher::RegexMatcher {
    pb::matcher::RegexMatcher {
        regex: pattern.to_owned(),
        ..Default::default()
    }
}

/// An object of texts.
pub(crate) fn structure<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> pb::Struct {
    use pb::value::Kind;
    let text = |text: &str| pb::Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    };
    pb::Struct {
        fields: fields
            .into_iter()
            .map(|(k, v)| (k.to_owned(), text(v)))
            .collect(),
    }
}
