//! Changes to the path and the host of requests.

use api::istio;
use model::route::{Rewrite, UriRewrite};

use crate::codes;
use crate::config::regex;
use crate::report::Report;

pub(super) fn convert(rewrite: istio::Rewrite, at: &str, report: &mut Report) -> Option<Rewrite> {
    let authority = rewrite.authority.filter(|text| !text.is_empty());
    let prefix = rewrite.uri.filter(|text| !text.is_empty());
    let uri = match (prefix, rewrite.uri_regex_rewrite) {
        (Some(_), Some(_)) => {
            let why = "uri and uriRegexRewrite are both given";
            report.refuse(codes::BAD_REWRITE, at, why, "keep one of the two");
            return None;
        }
        (Some(prefix), None) => Some(UriRewrite::Prefix(prefix)),
        (None, Some(rule)) => {
            let checked = regex::check(&rule.r#match)
                .and_then(|groups| regex::check_substitution(&rule.rewrite, groups));
            if let Err(why) = checked {
                let field = format!("{at}.uriRegexRewrite");
                report.refuse(codes::BAD_REGEX, field, why, super::matches::REGEX_REMEDY);
            }
            Some(UriRewrite::Regex {
                pattern: rule.r#match,
                substitution: rule.rewrite,
            })
        }
        (None, None) => None,
    };
    if uri.is_none() && authority.is_none() {
        let why = "the rewrite changes nothing";
        report.refuse(
            codes::BAD_REWRITE,
            at,
            why,
            "set uri, uriRegexRewrite or authority",
        );
    }
    Some(Rewrite { uri, authority })
}
