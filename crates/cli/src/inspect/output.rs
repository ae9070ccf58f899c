//! Findings, as people and scripts read them.

use std::io::{self, Write};

use clap::ValueEnum;
use model::{Diagnostic, ObjectRef, Severity};
use serde::Serialize;

use super::{BAD_INPUT, FINDINGS};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A line for each finding.
    Table,
    /// All that there is to say: effect and remedy, too.
    Text,
    Json,
}

/// The findings from which on a command does not end with 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Threshold {
    Error,
    Warning,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    api_version: &'static str,
    findings: Vec<Row<'a>>,
}

/// The rows of `/debug/diagnosticsz`.
#[derive(Serialize)]
struct Row<'a> {
    code: &'a str,
    severity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    why: &'a str,
    effect: &'a str,
    remedy: &'a str,
}

/// Documents that could not even be read as objects.
const UNREAD: [&str; 2] = ["PH0101", "PH0102"];

/// Writes findings; returns the exit code.
pub(super) fn report(
    findings: &[Diagnostic],
    objects: usize,
    form: Form,
    threshold: Threshold,
) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    match form {
        Form::Json => {
            let report = Report {
                api_version: "pilothouse/v1",
                findings: findings.iter().map(row).collect(),
            };
            serde_json::to_writer_pretty(&mut out, &report)?;
            writeln!(out)?;
        }
        Form::Text => {
            for finding in findings {
                writeln!(out, "{finding}\n")?;
            }
        }
        Form::Table => table(findings, &mut out)?,
    }
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    let errors = errors.count();
    let warnings = findings.len() - errors;
    eprintln!("{objects} objects, {errors} errors, {warnings} warnings");
    let counted = match threshold {
        Threshold::Error => errors,
        Threshold::Warning => findings.len(),
    };
    Ok(match findings.iter().any(|f| UNREAD.contains(&f.code)) {
        true => BAD_INPUT,
        false if counted > 0 => FINDINGS,
        false => 0,
    })
}

fn row(finding: &Diagnostic) -> Row<'_> {
    Row {
        code: finding.code,
        severity: finding.severity.to_string(),
        object: finding.object.as_ref().map(ObjectRef::to_string),
        field: &finding.field,
        location: finding.location.as_ref().map(ToString::to_string),
        why: &finding.why,
        effect: &finding.effect,
        remedy: &finding.remedy,
    }
}

fn table(findings: &[Diagnostic], out: &mut impl Write) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let head = ["LEVEL", "CODE", "OBJECT", "WHERE", "WHAT"].map(str::to_owned);
    let lines: Vec<[String; 5]> = std::iter::once(head)
        .chain(findings.iter().map(cells))
        .collect();
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max();
    let widths: Vec<usize> = (0..4).map(|i| width(i).unwrap_or(0)).collect();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            write!(out, "{cell:width$}  ")?;
        }
        writeln!(out, "{}", line[4])?;
    }
    Ok(())
}

fn cells(finding: &Diagnostic) -> [String; 5] {
    let dash = || "-".to_owned();
    let location = finding.location.as_ref().map(ToString::to_string);
    let place = match (location, finding.field.as_str()) {
        (None, "") => dash(),
        (None, field) => field.to_owned(),
        (Some(location), "") => location,
        (Some(location), field) => format!("{location} {field}"),
    };
    [
        finding.severity.to_string(),
        finding.code.to_owned(),
        finding
            .object
            .as_ref()
            .map_or_else(dash, ToString::to_string),
        place,
        finding.why.replace('\n', " "),
    ]
}
