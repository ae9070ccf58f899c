//! What is asked of what the caller wants.

use model::authorization::{Clause, PathTest, Test, Wildcard};
use pb::rbac::Permission;
use pb::rbac::permission::{Rule, Set};

use super::text;
use crate::{message, pb};

/// All of the clauses; anything, if there are none.
pub(super) fn all(clauses: &[Clause]) -> Permission {
    let each = clauses.iter().flat_map(|clause| {
        let any = (!clause.any.is_empty()).then(|| one_of(&clause.any));
        let none = (!clause.none.is_empty())
            .then(|| permission(Rule::NotRule(Box::new(one_of(&clause.none)))));
        any.into_iter().chain(none)
    });
    let mut rules: Vec<Permission> = each.collect();
    match rules.len() {
        0 => permission(Rule::Any(true)),
        1 => rules.remove(0),
        _ => permission(Rule::AndRules(Set { rules })),
    }
}

fn one_of(tests: &[Test]) -> Permission {
    let mut rules: Vec<Permission> = tests.iter().map(single).collect();
    match rules.len() {
        1 => rules.remove(0),
        _ => permission(Rule::OrRules(Set { rules })),
    }
}

fn single(test: &Test) -> Permission {
    permission(match test {
        Test::DestinationAddress(block) => Rule::DestinationIp(message::range(*block)),
        Test::DestinationPort(port) => Rule::DestinationPort((*port).into()),
        Test::ServerName(name) => Rule::RequestedServerName(text::plain(name)),
        Test::Method(name) => header(":method", name),
        Test::Host(name) => host(name),
        Test::Path(PathTest::Text(path)) => Rule::UrlPath(pb::matcher::PathMatcher {
            rule: Some(pb::matcher::path_matcher::Rule::Path(text::plain(path))),
        }),
        Test::Path(PathTest::Template(template)) => Rule::UriTemplate(self::template(template)),
        Test::Header { name, value } => header(name, value),
        Test::Metadata { filter, key, value } => {
            use pb::matcher::value_matcher::MatchPattern;
            let value = pb::matcher::ValueMatcher {
                match_pattern: Some(MatchPattern::StringMatch(text::plain(value))),
            };
            Rule::SourcedMetadata(pb::rbac::SourcedMetadata {
                metadata_matcher: Some(metadata(filter, [&**key], value)),
                metadata_source: pb::rbac::MetadataSource::Dynamic.into(),
            })
        }
        // The others are asked of the caller.
        _ => unreachable!("{test:?} is a test of callers"),
    })
}

fn header(name: &str, value: &Wildcard) -> Rule {
    use pb::route::header_matcher::HeaderMatchSpecifier;
    let specifier = match value {
        Wildcard::Present => HeaderMatchSpecifier::PresentMatch(true),
        value => HeaderMatchSpecifier::StringMatch(text::plain(value)),
    };
    Rule::Header(pb::route::HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(specifier),
        ..Default::default()
    })
}

/// Clients may write any case and add the port, and mean the same host.
fn host(name: &Wildcard) -> Rule {
    use pb::route::header_matcher::HeaderMatchSpecifier;
    let pattern = match name {
        Wildcard::Present => return header(":authority", name),
        Wildcard::Exact(text) => text::escape(text),
        Wildcard::Prefix(text) => format!("{}.*", text::escape(text)),
        Wildcard::Suffix(text) => format!(".*{}", text::escape(text)),
    };
    let matcher = text::regex(&format!("(?is){pattern}(:[0-9]+)?"));
    Rule::Header(pb::route::HeaderMatcher {
        name: ":authority".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(matcher)),
        ..Default::default()
    })
}

fn template(template: &str) -> pb::core::TypedExtensionConfig {
    let config = pb::uri_template::UriTemplateMatchConfig {
        path_template: template.to_owned(),
    };
    pb::core::TypedExtensionConfig {
        name: "envoy.path.match.uri_template.uri_template_matcher".to_owned(),
        typed_config: Some(message::any(&config)),
    }
}

/// What a filter said, by the names on the way to it.
pub(super) fn metadata<'a>(
    filter: &str,
    path: impl IntoIterator<Item = &'a str>,
    value: pb::matcher::ValueMatcher,
) -> pb::matcher::MetadataMatcher {
    use pb::matcher::metadata_matcher::{PathSegment, path_segment::Segment};
    let path = path.into_iter().map(|name| PathSegment {
        segment: Some(Segment::Key(name.to_owned())),
    });
    pb::matcher::MetadataMatcher {
        filter: filter.to_owned(),
        path: path.collect(),
        value: Some(value),
        invert: false,
    }
}

fn permission(rule: Rule) -> Permission {
    Permission { rule: Some(rule) }
}
