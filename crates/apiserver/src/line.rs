//! A finding in one line, as it stands in an Event and in a condition.

use model::{Diagnostic, Severity};

/// The apiserver takes no more in the note of an Event.
const LONGEST: usize = 1024;

/// Another object has precedence, for the whole of an object or for a part.
const CONFLICTS: [&str; 10] = [
    "PH0331", "PH0332", "PH0333", "PH0360", "PH0402", "PH0403", "PH0610", "PH0709", "PH0724",
    "PH0808",
];

/// What an object refers to is not there: a host, a subset, a gateway, an instance with its labels.
const MISSING: [&str; 11] = [
    "PH0334", "PH0335", "PH0336", "PH0337", "PH0364", "PH0365", "PH0390", "PH0611", "PH0625",
    "PH0710", "PH0725",
];

/// The whole object has no effect: a kind that is not in force or is off, a name without meaning.
const WITHOUT_EFFECT: [&str; 5] = ["PH0303", "PH0601", "PH0811", "PH0812", "PH0820"];

/// Whether nothing follows from the object, for all that is right with it.
pub(crate) fn is_without_effect(finding: &Diagnostic) -> bool {
    WITHOUT_EFFECT.contains(&finding.code)
}

/// A word for what became of the object; the reason of its Event.
pub(crate) fn reason(finding: &Diagnostic) -> &'static str {
    match (finding.code, finding.severity) {
        ("PH0501", _) => "RejectedByEnvoy",
        (code, _) if CONFLICTS.contains(&code) => "Conflict",
        (_, Severity::Error) => "Refused",
        (code, Severity::Warning) if MISSING.contains(&code) => "Missing",
        (_, Severity::Warning) if is_without_effect(finding) => "NotInForce",
        (_, Severity::Warning) => "Ignored",
    }
}

/// `PH0301 spec.http[0].timeout: why; effect; remedy`
pub(crate) fn line(finding: &Diagnostic) -> String {
    let place = match finding.field.as_str() {
        "" => finding.code.to_owned(),
        field => format!("{} {field}", finding.code),
    };
    let parts = [&finding.why, &finding.effect, &finding.remedy];
    let parts = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let told: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|p| !p.is_empty())
        .collect();
    shortened(format!("{place}: {}", told.join("; ")))
}

fn shortened(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let end = text.floor_char_boundary(LONGEST - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
pub(crate) mod tests {
    use model::ObjectRef;

    use super::*;

    pub(crate) fn finding(code: &'static str, name: &str, why: &str) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            object: Some(ObjectRef {
                kind: "VirtualService",
                namespace: "default".into(),
                name: name.into(),
            }),
            field: "spec.http[0]".into(),
            location: None,
            why: why.into(),
            effect: "the object is not in force".into(),
            remedy: "correct it".into(),
        }
    }

    #[test]
    fn a_finding_is_one_line_with_everything() {
        let finding = finding("PH0306", "reviews", "no\n  action");
        assert_eq!(
            line(&finding),
            "PH0306 spec.http[0]: no action; the object is not in force; correct it"
        );
        assert_eq!(reason(&finding), "Refused");
    }

    #[test]
    fn a_warning_says_what_kind_of_trouble_it_is() {
        let warning = |code| Diagnostic {
            severity: Severity::Warning,
            ..finding(code, "reviews", "x")
        };
        for (code, is) in [
            ("PH0333", "Conflict"),
            ("PH0334", "Missing"),
            ("PH0302", "Ignored"),
            ("PH0820", "NotInForce"),
            ("PH0501", "RejectedByEnvoy"),
        ] {
            assert_eq!(reason(&warning(code)), is, "{code}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let text = line(&finding("PH0501", "reviews", &"ä".repeat(2000)));
        assert!(
            text.len() <= LONGEST && text.ends_with('…'),
            "{}",
            text.len()
        );
    }
}
