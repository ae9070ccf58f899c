//! Results: for people at once, and as lines of JSON that a later run is compared with.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use generate::run;
use serde_json::{Map, Value, json};

use crate::options::Plan;
use crate::process;
use crate::stat::{Millis, Samples, finite};

/// Where results go.
pub(crate) struct Report {
    file: File,
    path: PathBuf,
    /// The figure of the last run of each key.
    previous: BTreeMap<String, f64>,
    common: Map<String, Value>,
    begun: Instant,
}

/// What one server did.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) latency: Samples,
    /// By name, which ends in the unit.
    pub(crate) values: Vec<(&'static str, f64)>,
}

/// A result.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) services: usize,
    pub(crate) proxies: usize,
    pub(crate) mode: &'static str,
    /// How the server and the proxies are set, where that makes results incomparable.
    pub(crate) settings: Vec<(&'static str, Value)>,
    pub(crate) server: Figures,
    pub(crate) floor: Option<Figures>,
    /// The name of the figure that is compared with the floor and with the last run.
    pub(crate) figure: &'static str,
    /// Of the whole machine, while the server was measured.
    pub(crate) client_share: f64,
}

/// Of the whole machine; beyond it, latencies are the client's.
const CLIENT_BOUND: f64 = 0.5;

// === impl Report ===

impl Report {
    pub(crate) fn open(plan: &Plan) -> Result<Report> {
        fs::create_dir_all(&plan.output)?;
        let path = plan.output.join("push.jsonl");
        let previous = run::previous(&fs::read_to_string(&path).unwrap_or_default());
        let file = File::options().create(true).append(true).open(&path)?;
        Ok(Report {
            file,
            path,
            previous,
            common: common(plan),
            begun: Instant::now(),
        })
    }

    pub(crate) fn begin(&self, plan: &Plan, files: u64) {
        let (cores, load) = (run::cores(), process::load());
        println!(
            "push: {} ({}), {cores} cores, load {load:.2}, {files} open files",
            plan.pilothouse.display(),
            self.common["build"]
        );
        if plan.proxies.iter().any(|n| (*n as u64) * 3 > files) {
            println!(
                "push: {files} open files are too few for that many proxies; raise the limit (ulimit -n)"
            );
        }
    }

    pub(crate) fn end(&self) {
        println!(
            "push: done in {:.0?}; every result is a line of {}",
            self.begun.elapsed(),
            self.path.display()
        );
    }

    pub(crate) fn note(&self, text: &str) {
        println!("  {text}");
    }

    pub(crate) fn row(&mut self, row: &Row) -> Result<()> {
        let key = self.key(row);
        let figure = row.server.figure(row.figure);
        // Nothing can be compared with a floor of nothing.
        let ratio = row
            .floor
            .as_ref()
            .map(|floor| figure / floor.figure(row.figure))
            .filter(|ratio| ratio.is_finite());
        let load = process::load();
        let settings: Vec<String> = row
            .settings
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        println!(
            "\n{:<18} {} services, {} proxies, {}, {}",
            row.case,
            row.services,
            row.proxies,
            row.mode,
            settings.join(", ")
        );
        println!("  server  {}", row.server.line());
        if let Some(floor) = &row.floor {
            println!("  floor   {}", floor.line());
        }
        let mut remarks = Vec::new();
        remarks.extend(ratio.map(|ratio| format!("{} {ratio:.2}x floor", row.figure)));
        let previous = self.previous.get(&key).filter(|last| **last != 0.0);
        remarks.extend(previous.map(|last| format!("{:.2}x the last run", figure / last)));
        remarks.push(format!("load {load:.2}"));
        remarks.push(format!(
            "client {:.0} % of the machine",
            row.client_share * 100.0
        ));
        if row.client_share > CLIENT_BOUND {
            remarks.push("CLIENT-BOUND".into());
        }
        println!("  {}", remarks.join(", "));
        let mut line = self.common.clone();
        line.extend(fields(row, &key, figure, ratio, load));
        writeln!(self.file, "{}", Value::Object(line))?;
        Ok(())
    }

    /// What must be equal for two results to be comparable.
    fn key(&self, row: &Row) -> String {
        let common = ["endpoints", "subsets", "build", "cores", "quick"]
            .map(|name| (name, &self.common[name]));
        let own = row.settings.iter().map(|(name, value)| (*name, value));
        let settings: Vec<String> = common
            .into_iter()
            .chain(own)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "{} s={} n={} {} {}",
            row.case,
            row.services,
            row.proxies,
            row.mode,
            settings.join(" ")
        )
    }
}

fn fields(row: &Row, key: &str, figure: f64, ratio: Option<f64>, load: f64) -> Map<String, Value> {
    let value = json!({
        "key": key, "case": row.case, "services": row.services, "proxies": row.proxies, "mode": row.mode,
        "figure": row.figure, "value": finite(figure), "ratio": ratio.map(finite), "load": finite(load),
        "client_share": finite(row.client_share), "server": row.server.to_json(),
        "floor": row.floor.as_ref().map(Figures::to_json),
    });
    let mut map: Map<String, Value> = row
        .settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    if let Value::Object(rest) = value {
        map.extend(rest);
    }
    map
}

fn common(plan: &Plan) -> Map<String, Value> {
    let own = json!({
        "endpoints": plan.endpoints, "subsets": plan.subsets, "rounds": plan.rounds,
    });
    let mut common = run::facts(&plan.pilothouse, plan.quick);
    if let Value::Object(own) = own {
        common.extend(own);
    }
    common
}

// === impl Figures ===

impl Figures {
    pub(crate) fn set(&mut self, name: &'static str, value: f64) {
        self.values.push((name, value));
    }

    /// Of the latencies, or by name.
    fn figure(&self, name: &str) -> f64 {
        match name {
            "p50" => self.latency.median(),
            "p99" => self.latency.percentile(99.0),
            "max" => self.latency.max(),
            name => self
                .values
                .iter()
                .find(|(n, _)| *n == name)
                .map_or(f64::NAN, |(_, value)| *value),
        }
    }

    fn line(&self) -> String {
        let latency = (!self.latency.is_empty()).then(|| self.latency.to_string());
        let values = self
            .values
            .iter()
            .map(|(name, value)| match name.strip_suffix(" ms") {
                Some(name) => format!("{name} {}", Millis(*value)),
                None => format!("{name} {}", short(*value)),
            });
        latency
            .into_iter()
            .chain(values)
            .collect::<Vec<_>>()
            .join(" | ")
    }

    fn to_json(&self) -> Value {
        let values = self
            .values
            .iter()
            .map(|(name, value)| (name.replace([' ', '/'], "_"), finite(*value)));
        let mut map: Map<String, Value> = values.collect();
        if !self.latency.is_empty() {
            map.insert("latency_ms".into(), self.latency.to_json());
        }
        Value::Object(map)
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 || v.fract() == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_name() {
        let mut figures = Figures::default();
        figures.set("cpu/proxy ms", 0.25);
        figures.latency.add(3.0);
        assert_eq!(
            (figures.figure("p99"), figures.figure("cpu/proxy ms")),
            (3.0, 0.25)
        );
        assert!(figures.figure("unknown").is_nan());
        assert_eq!(
            figures.line(),
            "p50 3.0 ms p99 3.0 ms max 3.0 ms | cpu/proxy 0.250 ms"
        );
        assert_eq!(figures.to_json()["cpu_proxy_ms"], 0.25);
    }
}
