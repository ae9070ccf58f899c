//! Inclusion: which workloads are part of the mesh without saying so.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Whether a workload must have a label to be part of the mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Inclusion {
    #[default]
    Labelled,
    /// Those without the label are, if this selects them, under a name that follows from their id.
    All(Selector),
}

/// Labels that are asked for, in the grammar of Marathon's `label=`: `k`, `k==v`, `k!=v`,
/// `k in (a, b)`, `k notin (a, b)`, joined by commas. All must hold; an empty one selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    key: String,
    /// `None` asks only for the label to exist.
    values: Option<Vec<String>>,
    negated: bool,
}

/// A text that is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no selector of labels: write it like team==shop,stage in (test, prod)")]
pub struct InvalidSelector(String);

// === impl Inclusion ===

impl Inclusion {
    /// Whether a workload with these labels, and without the one that counts, is part of the mesh.
    pub fn takes(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Inclusion::Labelled => false,
            Inclusion::All(selector) => selector.selects(labels),
        }
    }
}

// === impl Selector ===

impl Selector {
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let holds = |term: &Term| match (&term.values, labels.get(&term.key)) {
            (None, label) => label.is_some(),
            (Some(values), Some(label)) => values.contains(label) != term.negated,
            // To Marathon a label that is missing is neither in a set nor outside of it.
            (Some(_), None) => false,
        };
        self.0.iter().all(holds)
    }
}

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Selector, InvalidSelector> {
        let terms = split(text).into_iter().map(Term::parse);
        let terms: Option<Vec<Term>> = terms.collect();
        terms
            .map(Selector)
            .ok_or_else(|| InvalidSelector(text.to_owned()))
    }
}

/// At the commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.collect()
}

// === impl Term ===

impl Term {
    fn parse(text: &str) -> Option<Term> {
        let text = text.trim();
        for (operator, negated) in [("==", false), ("!=", true)] {
            if let Some((key, value)) = text.split_once(operator) {
                return Term::new(key, Some(vec![value.trim().to_owned()]), negated);
            }
        }
        for (operator, negated) in [(" notin ", true), (" in ", false)] {
            if let Some((key, set)) = text.split_once(operator) {
                let set = set.trim().strip_prefix('(')?.strip_suffix(')')?;
                let values = set.split(',').map(|value| value.trim().to_owned());
                return Term::new(key, Some(values.collect()), negated);
            }
        }
        Term::new(text, None, false)
    }

    fn new(key: &str, values: Option<Vec<String>>, negated: bool) -> Option<Term> {
        let key = key.trim();
        let odd = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '=' | '!');
        let sound = !key.is_empty() && !key.contains(odd);
        sound.then(|| Term {
            key: key.to_owned(),
            values,
            negated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_selects() {
        let labels = [("team", "shop"), ("stage", "test")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let labels = BTreeMap::from(labels);
        for (text, expected) in [
            ("team", true),
            ("owner", false),
            ("team==shop", true),
            ("team != shop", false),
            ("stage in (prod, test)", true),
            ("stage notin (prod)", true),
            ("owner notin (prod)", false),
            ("owner!=x", false),
            ("team,stage in (test, prod)", true),
            ("team in (a,b),stage", false),
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.selects(&labels), expected, "{text}");
            assert_eq!(Inclusion::All(selector).takes(&labels), expected, "{text}");
        }
        assert!(Selector::default().selects(&labels));
        assert!(!Inclusion::Labelled.takes(&labels));
        for text in ["", "a,", "==a", "a in b", "a b", "a=b", "!a"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
