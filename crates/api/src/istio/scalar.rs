//! Scalars as proto-JSON allows them: a number may arrive as a string or a float.

use serde::{Deserialize, Deserializer, de};

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Int(i64),
    Float(f64),
    Text(String),
}

impl Number {
    fn whole(self) -> Result<i64, String> {
        match self {
            Number::Int(n) => Ok(n),
            Number::Float(f) if f.fract() == 0.0 => Ok(f as i64),
            Number::Float(f) => Err(format!("{f} is not a whole number")),
            Number::Text(s) => s.parse().map_err(|_| format!("{s:?} is not a number")),
        }
    }

    fn float(self) -> Result<f64, String> {
        match self {
            Number::Int(n) => Ok(n as f64),
            Number::Float(f) => Ok(f),
            Number::Text(s) => s.parse().map_err(|_| format!("{s:?} is not a number")),
        }
    }
}

/// A whole number in the range of `T`, or absent.
pub(super) fn optional<'de, D, T>(d: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let Some(number) = Option::<Number>::deserialize(d)? else {
        return Ok(None);
    };
    let whole = number.whole().map_err(de::Error::custom)?;
    T::try_from(whole)
        .map(Some)
        .map_err(|_| de::Error::custom(format!("{whole} is out of range")))
}

/// A number with decimals, or absent.
pub(super) fn optional_float<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    let number = Option::<Number>::deserialize(d)?;
    number
        .map(Number::float)
        .transpose()
        .map_err(de::Error::custom)
}

/// A percentage: a number, or Istio's message with the number in `value`.
pub(super) fn optional_percent<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Percent {
        Plain(Number),
        Message { value: Number },
    }
    let number = match Option::<Percent>::deserialize(d)? {
        None => return Ok(None),
        Some(Percent::Plain(number) | Percent::Message { value: number }) => number,
    };
    number.float().map(Some).map_err(de::Error::custom)
}

/// The name of an enum's value, or its number as text: proto-JSON allows both.
pub(super) fn name<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let number = Option::<Number>::deserialize(d)?;
    Ok(number.map(|number| match number {
        Number::Int(n) => n.to_string(),
        Number::Float(f) => f.to_string(),
        Number::Text(text) => text,
    }))
}

/// A list that may be given as `null`.
pub(super) fn list<'de, D, T>(d: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    or_default(d)
}

/// Anything that may be given as `null`, which for proto-JSON is the same as absent.
pub(super) fn or_default<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Choice {
    Number(i64),
    Name(String),
}

/// A value of an enum by its name or, as proto-JSON allows, by its number: the place in `names`.
pub(super) fn choice<'de, D: Deserializer<'de>>(
    d: D,
    names: &[&'static str],
) -> Result<Option<&'static str>, D::Error> {
    let found = match Option::<Choice>::deserialize(d)? {
        None => return Ok(None),
        Some(Choice::Number(n)) => usize::try_from(n)
            .ok()
            .and_then(|n| names.get(n))
            .ok_or_else(|| n.to_string()),
        Some(Choice::Name(name)) => names.iter().find(|known| **known == name).ok_or(name),
    };
    let unknown = |given| de::Error::custom(format!("{given} is none of {}", names.join(", ")));
    found.map(|name| Some(*name)).map_err(unknown)
}
