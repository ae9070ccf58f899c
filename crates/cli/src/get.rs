//! `pilothouse get`: what a running server knows, as tables.
//!
//! The pages below `/debug` are made for programs; this prints the same for people.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::Value;

/// A server on this network answers at once, or not at all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Print what a running server knows: its sources, its services, why an instance is no endpoint.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to print.
    what: What,
    /// One service only, by its host name.
    host: Option<String>,
    /// The server's HTTP address.
    #[arg(long, default_value = "http://127.0.0.1:15007")]
    server: String,
    /// As a table, or the page's own JSON.
    #[arg(short, long, default_value = "table")]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Where the state comes from: who leads, the age of events and lists, the last error.
    Sources,
    /// Services and their ports.
    Services,
    /// Instances of services, and why each is or is not an endpoint.
    Instances,
    /// Addresses by service port.
    Endpoints,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let page = match args.what {
        What::Sources => "/debug/sources",
        What::Services | What::Instances => "/debug/registryz",
        What::Endpoints => "/debug/endpointz",
    };
    let text = fetch(args, page)?;
    let mut out = std::io::stdout().lock();
    if matches!(args.output, Output::Json) {
        writeln!(out, "{}", text.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Value> = serde_json::from_str(&text)
        .with_context(|| format!("{}{page} is not the page of a Pilothouse", args.server))?;
    let table = match args.what {
        What::Sources => sources(&rows),
        What::Services => services(&rows),
        What::Instances => instances(&rows),
        What::Endpoints => endpoints(&rows),
    };
    write!(out, "{}", aligned(&table))?;
    if table.len() == 1 {
        eprintln!("nothing is known of that yet");
    }
    Ok(ExitCode::SUCCESS)
}

fn fetch(args: &Args, page: &str) -> Result<String> {
    let url = format!("{}{page}", args.server.trim_end_matches('/'));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
        let mut request = client.build()?.get(&url);
        if let Some(host) = &args.host {
            request = request.query(&[("host", host)]);
        }
        let hint = || format!("{url} does not answer; --server names another address");
        let answer = request.send().await.with_context(hint)?;
        let (status, body) = (answer.status(), answer.text().await.with_context(hint)?);
        if !status.is_success() {
            bail!("{url} answered {status}: {}", body.trim());
        }
        Ok(body)
    })
}

type Table = Vec<Vec<String>>;

fn sources(rows: &[Value]) -> Table {
    let head = [
        "NAME",
        "STATE",
        "LEADER",
        "EVENT",
        "LIST",
        "EVENTS",
        "WHERE",
        "LAST ERROR",
    ];
    let body = rows.iter().map(|row| {
        let state = match row["away_seconds"].as_u64() {
            Some(seconds) => format!("{} for {seconds} s", text(&row["state"])),
            None => text(&row["state"]),
        };
        let age = |key: &str| {
            row[key]
                .as_u64()
                .map_or("-".into(), |s| format!("{s} s ago"))
        };
        vec![
            text(&row["name"]),
            state,
            text(&row["leader"]),
            age("last_event_seconds"),
            age("last_resync_seconds"),
            text(&row["events"]),
            text(&row["detail"]),
            text(&row["last_error"]),
        ]
    });
    table(&head, body)
}

fn services(rows: &[Value]) -> Table {
    let body = named(rows).map(|row| {
        let ports = list(&row["ports"]).iter();
        let ports = ports.map(|p| format!("{}/{}", text(&p["port"]), text(&p["protocol"])));
        vec![
            text(&row["hostname"]),
            text(&row["Attributes"]["Namespace"]),
            ports.collect::<Vec<_>>().join(","),
            list(&row["instances"]).len().to_string(),
            list(&row["others"]).len().to_string(),
        ]
    });
    table(&["HOST", "NAMESPACE", "PORTS", "ENDPOINTS", "OTHERS"], body)
}

fn instances(rows: &[Value]) -> Table {
    let body = named(rows).flat_map(|row| {
        let host = text(&row["hostname"]);
        let line = move |one: &Value| {
            vec![
                host.clone(),
                text(&one["port"]),
                text(&one["id"]),
                one["health"].as_str().unwrap_or("none").to_owned(),
                text(&one["address"]),
                text(&one["same_agent"]),
                text(&one["why"]),
            ]
        };
        let all = list(&row["instances"]).iter().chain(list(&row["others"]));
        all.map(line).collect::<Vec<_>>()
    });
    let head = [
        "HOST",
        "PORT",
        "INSTANCE",
        "ENDPOINT",
        "ADDRESS",
        "SAME AGENT",
        "WHY",
    ];
    table(&head, body)
}

fn endpoints(rows: &[Value]) -> Table {
    let body = rows.iter().flat_map(|row| {
        let service = text(&row["svc"]);
        let instances = list(&row["ep"])
            .iter()
            .filter(|e| e["endpoint"].is_object());
        let line = move |one: &Value| {
            let at = &one["endpoint"];
            let only = match one["same_agent"].as_bool() {
                Some(true) => "its agent",
                _ => "anywhere",
            };
            vec![
                service.clone(),
                format!("{}:{}", text(&at["Address"]), text(&at["Port"])),
                only.to_owned(),
                text(&one["health"]),
                text(&one["az"]),
                text(&at["LbWeight"]),
            ]
        };
        instances.map(line).collect::<Vec<_>>()
    });
    let head = ["SERVICE", "ADDRESS", "FROM", "HEALTH", "LOCALITY", "WEIGHT"];
    table(&head, body)
}

/// Rows of services, without the empty object at the end.
fn named(rows: &[Value]) -> impl Iterator<Item = &Value> {
    rows.iter().filter(|row| row["hostname"].is_string())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn table(head: &[&str], body: impl Iterator<Item = Vec<String>>) -> Table {
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    std::iter::once(head).chain(body).collect()
}

/// Columns as wide as their widest cell, but for the last.
fn aligned(table: &Table) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instances_are_told_with_their_reasons() {
        let rows = [
            json!({
                "hostname": "a.mesos",
                "instances": [{"id": "a.1", "port": 80, "address": "10.0.0.1:31000",
                    "health": "HEALTHY", "why": "it runs"}],
                "others": [{"id": "a.2", "port": 80, "why": "its task is TASK_STAGING"}],
            }),
            json!({}),
        ];
        let expected = "\
HOST     PORT  INSTANCE  ENDPOINT  ADDRESS         SAME AGENT  WHY
a.mesos  80    a.1       HEALTHY   10.0.0.1:31000  -           it runs
a.mesos  80    a.2       none      -               -           its task is TASK_STAGING
";
        assert_eq!(aligned(&instances(&rows)), expected);
    }

    #[test]
    fn a_source_that_is_away_says_for_how_long() {
        let rows = [json!({
            "name": "marathon", "state": "retrying", "away_seconds": 7, "leader": "m1:8080",
            "last_event_seconds": null, "last_resync_seconds": 61, "events": 3,
            "detail": "http://m1:8080/", "last_error": "refused",
        })];
        let table = sources(&rows);
        assert_eq!(
            table[1][1..5],
            ["retrying for 7 s", "m1:8080", "-", "61 s ago"]
        );
    }
}
