//! The log: structured, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;

/// Our own crates at `info`, foreign ones at `warn`; `RUST_LOG` overrides.
/// kube_client tells every failed request as an error; the source tells the same once.
const DEFAULT_FILTER: &str = "warn,kube_client=off,pilothouse=info,pilot=info,watch=info,index=info,envoy=info,xds=info,admin=info,demo=info";

/// Starts logging. A second call is ignored, so that tests may call it freely.
pub fn init(format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
