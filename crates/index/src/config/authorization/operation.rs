//! What the caller wants.

use api::istio::AuthorizationOperation;
use model::authorization::{Clause, PathTest, Test, Wildcard};

use super::lists::{Asked, Lists, Reader, port, text};
use crate::report::Report;

pub(super) fn clauses(
    operation: &AuthorizationOperation,
    reader: &Reader<'_, '_>,
    report: &mut Report,
) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let mut add = |names, values: [&Vec<String>; 2], read: &dyn Fn(&str) -> Asked| {
        let values = values.map(Vec::as_slice);
        clauses.extend(reader.clause(&Lists { names, values }, read, report));
    };
    add(
        ["hosts", "notHosts"],
        [&operation.hosts, &operation.not_hosts],
        &text(Test::Host),
    );
    add(
        ["ports", "notPorts"],
        [&operation.ports, &operation.not_ports],
        &port,
    );
    add(
        ["methods", "notMethods"],
        [&operation.methods, &operation.not_methods],
        &text(Test::Method),
    );
    add(
        ["paths", "notPaths"],
        [&operation.paths, &operation.not_paths],
        &path,
    );
    clauses
}

fn path(value: &str) -> Asked {
    let test = match value.contains(['{', '}']) {
        true => PathTest::Template(template(value)?.into()),
        false => PathTest::Text(Wildcard::parse(value)),
    };
    Ok(vec![Test::Path(test)])
}

/// `{*}` is one part of a path and `{**}` any number of them, as in Istio; Envoy has them without
/// braces.
fn template(value: &str) -> Result<String, String> {
    let Some(rest) = value.strip_prefix('/') else {
        return Err(format!(
            "the template {value:?} does not begin with a slash"
        ));
    };
    let mut parts = Vec::new();
    let mut all = false;
    for part in rest.split('/') {
        parts.push(match part {
            "{*}" | "{**}" if all => {
                return Err(format!(
                    "in {value:?} something stands for parts after {{**}}"
                ));
            }
            "{*}" => "*",
            "{**}" => {
                all = true;
                "**"
            }
            part if part.contains(['{', '}', '*']) => {
                return Err(format!(
                    "{part:?} in {value:?} is neither {{*}}, {{**}} nor a text"
                ));
            }
            part => part,
        });
    }
    Ok(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_stand_for_whole_parts() {
        assert_eq!(template("/a/{*}/b").as_deref(), Ok("/a/*/b"));
        assert_eq!(template("/{**}/b").as_deref(), Ok("/**/b"));
        for wrong in ["a/{*}", "/a{*}", "/{**}/{*}", "/{x}", "/{*}/c*"] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
    }
}
