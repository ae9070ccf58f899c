//! `pilothouse translate`: the resources that a proxy would get.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use envoy::Kind;
use serde_json::{Map, Value, json};

use super::input::{Surroundings, texts};
use super::{Failure, diff};

/// Print the Envoy resources that a proxy would get, or how they differ from a server's.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file or directory with Istio objects; - for standard input. May be given again.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    surroundings: Surroundings,
    /// The proxy: a node id such as sidecar~IP~INSTANCE~DOMAIN, or a workload such as /reviews.
    #[arg(long)]
    node: String,
    /// Metadata of the node, as KEY=VALUE. May be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    metadata: Vec<String>,
    /// Only resources of this type. May be given again.
    #[arg(long = "type", value_enum)]
    types: Vec<Type>,
    #[arg(short, long, value_enum, default_value_t = Form::Yaml)]
    output: Form,
    /// Compare with what the server at this URL serves the proxy; ends with 2 if that differs.
    #[arg(long, value_name = "URL")]
    diff: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Type {
    #[value(alias = "cds")]
    Cluster,
    #[value(alias = "eds")]
    Endpoint,
    #[value(alias = "lds")]
    Listener,
    #[value(alias = "rds")]
    Route,
    #[value(alias = "sds")]
    Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Yaml,
    Json,
}

/// Resources by kind and name.
pub(super) type Resources = BTreeMap<(Kind, String), Value>;

pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let metadata = metadata(&args.metadata)?;
    let study = args.surroundings.draft(&texts(&args.files)?)?.study();
    let node = match args.node.contains('~') {
        true => args.node.clone(),
        false => study
            .node_of(&args.node)
            .ok_or_else(|| unknown(&args.node, &study))?,
    };
    let proxy = study
        .proxy(&node, &metadata)
        .map_err(|error| Failure::Usage(format!("--node: {error}")))?;
    let compiled = study.compile(&proxy);
    for finding in &compiled.diagnostics {
        eprintln!("{finding}");
    }
    let mut resources = Resources::new();
    for resource in &compiled.resources {
        if args.wants(resource.kind) {
            let value = envoy::render::to_json(resource.kind, &resource.body)
                .map_err(|error| Failure::Input(error.to_string()))?;
            resources.insert((resource.kind, resource.name.to_string()), value);
        }
    }
    match &args.diff {
        Some(url) => diff::run(url, &node, resources, |kind| args.wants(kind)),
        None => print(&resources, args.output).map(|()| 0),
    }
}

// === impl Args ===

impl Args {
    fn wants(&self, kind: Kind) -> bool {
        let wanted = |of: &Type| {
            matches!(
                (of, kind),
                (Type::Cluster, Kind::Cluster)
                    | (Type::Endpoint, Kind::Endpoint)
                    | (Type::Listener, Kind::Listener)
                    | (Type::Route, Kind::Route)
                    | (Type::Secret, Kind::Secret)
            )
        };
        self.types.is_empty() || self.types.iter().any(wanted)
    }
}

fn metadata(pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut metadata = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::Usage(format!(
                "--metadata {pair}: write it as KEY=VALUE"
            )));
        };
        metadata.insert(key.to_owned(), value.into());
    }
    Ok(metadata)
}

fn unknown(node: &str, study: &analysis::Study) -> Failure {
    let known: Vec<&str> = study
        .world
        .instances
        .values()
        .map(|instance| &*instance.workload)
        .collect();
    Failure::Usage(format!(
        "--node {node}: no workload has that id. There are {}",
        match known.is_empty() {
            true => "none: give --workloads".to_owned(),
            false => known.join(", "),
        }
    ))
}

/// By kind, each resource as Envoy's `config_dump` shows it.
fn print(resources: &Resources, form: Form) -> Result<(), Failure> {
    let mut by_kind: BTreeMap<Kind, Vec<&Value>> = BTreeMap::new();
    for ((kind, _), value) in resources {
        by_kind.entry(*kind).or_default().push(value);
    }
    let named = by_kind
        .into_iter()
        .map(|(kind, list)| (format!("{kind}s"), json!(list)));
    let document = Value::Object(named.collect());
    let text = match form {
        Form::Json => serde_json::to_string_pretty(&document).map_err(std::io::Error::from)?,
        Form::Yaml => {
            serde_yaml::to_string(&document).map_err(|error| Failure::Input(error.to_string()))?
        }
    };
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())?;
    Ok(())
}
