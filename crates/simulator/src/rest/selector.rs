//! Label selectors: `k`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`.

use std::collections::BTreeMap;

/// All of its terms must hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
struct Term {
    key: String,
    /// `None` asks only for the label to exist.
    values: Option<Vec<String>>,
    negated: bool,
}

impl Selector {
    /// Reads a comma-separated list of terms; the error is for the client.
    pub(super) fn parse(text: &str) -> Result<Selector, String> {
        let terms = split(text).into_iter().map(term);
        terms
            .collect::<Option<Vec<_>>>()
            .map(Selector)
            .ok_or_else(|| {
                format!("Parsing error: '{text}' is not a label selector such as 'a==b,c in (d,e)'")
            })
    }

    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0
            .iter()
            .all(|term| match (&term.values, labels.get(&term.key)) {
                (None, label) => label.is_some(),
                (Some(values), Some(label)) => values.contains(label) != term.negated,
                // A label that is missing satisfies neither "in" nor "not in".
                (Some(_), None) => false,
            })
    }
}

/// Splits at the commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

fn term(text: &str) -> Option<Term> {
    let text = text.trim();
    let build = |key: &str, values: Option<Vec<String>>, negated| {
        let key = key.trim().to_owned();
        let valid = !key.is_empty() && !key.contains(char::is_whitespace);
        valid.then_some(Term {
            key,
            values,
            negated,
        })
    };
    for (operator, negated) in [("==", false), ("!=", true)] {
        if let Some((key, value)) = text.split_once(operator) {
            return build(key, Some(vec![value.trim().to_owned()]), negated);
        }
    }
    for (operator, negated) in [(" notin ", true), (" in ", false)] {
        if let Some((key, set)) = text.split_once(operator) {
            let set = set.trim().strip_prefix('(')?.strip_suffix(')')?;
            let values = set.split(',').map(|v| v.trim().to_owned()).collect();
            return build(key, Some(values), negated);
        }
    }
    build(text, None, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_selects() {
        let labels = BTreeMap::from([("istio".to_owned(), "reviews".to_owned())]);
        let cases = [
            ("istio", true),
            ("version", false),
            ("istio==reviews", true),
            ("istio != reviews", false),
            ("istio in (ratings, reviews)", true),
            ("istio notin (ratings)", true),
            ("version notin (v1)", false),
            ("istio,istio==reviews", true),
            ("istio in (a,b),istio", false),
        ];
        for (text, expected) in cases {
            let selector = Selector::parse(text).expect(text);
            assert_eq!(selector.matches(&labels), expected, "{text}");
        }
        assert!(Selector::parse("a in b").is_err());
        assert!(Selector::parse("").is_err());
    }
}
