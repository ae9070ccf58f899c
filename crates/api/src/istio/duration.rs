//! Durations as Istio reads them: Go syntax, not only the seconds of proto-JSON.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Parses `3m`, `1h30m`, `100ms`, `2.5s`, `180.000s`; `0` needs no unit. Negative values are refused.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let explain = || format!("{text:?} is not a duration: write it like 7s, 100ms or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0f64;
    if rest.is_empty() {
        return Err(explain());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(explain)?;
        let number: f64 = rest[..digits].parse().map_err(|_| explain())?;
        rest = &rest[digits..];
        let unit_len = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        total += number * unit_seconds(&rest[..unit_len]).ok_or_else(explain)?;
        rest = &rest[unit_len..];
    }
    // Through microseconds, so that 100ms is exactly 100 ms.
    Ok(Duration::from_nanos((total * 1e9).round() as u64))
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// For `#[serde(deserialize_with = …)]` on an optional field.
pub(super) fn optional<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    match Option::<String>::deserialize(d)? {
        None => Ok(None),
        Some(text) => parse_duration(&text).map(Some).map_err(de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_syntax_is_understood() {
        for (text, millis) in [
            ("7s", 7_000),
            ("100ms", 100),
            ("3m", 180_000),
            ("1h30m", 5_400_000),
            ("2.5s", 2_500),
            ("180.000s", 180_000),
            ("0", 0),
            ("0s", 0),
            ("1m0.5s", 60_500),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_operators_own_text() {
        for text in ["", "7", "s", "7 s", "-1s", "7x", "1.2.3s"] {
            assert!(
                parse_duration(text)
                    .unwrap_err()
                    .contains(&format!("{text:?}")),
                "{text}"
            );
        }
    }
}
