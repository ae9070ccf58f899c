//! `/metrics`: read from state at every scrape, so that no counter can run apart from the truth.
//!
//! Names are Pilot's, so that the boards and alerts of old installations go on working.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{Severity, World};
use prometheus::{
    Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, proto,
};
use xds::{Histogram, Kind, Totals};

use crate::{Inside, Source};

pub(crate) async fn page(State(inside): State<Arc<dyn Inside>>) -> Response {
    match text(&*inside) {
        Ok(text) => (
            [("content-type", TextEncoder::new().format_type().to_owned())],
            text,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn text(inside: &dyn Inside) -> prometheus::Result<Vec<u8>> {
    let page = Page(Registry::new());
    page.gauges(
        "pilot_info",
        "Version of the control plane.",
        "version",
        [(env!("CARGO_PKG_VERSION"), 1)],
    )?;
    page.gauge(
        "pilot_ready",
        "Whether proxies are served.",
        inside.pending().is_empty().into(),
    )?;
    page.gauge(
        "pilothouse_degraded",
        "Sources away since the start, served from disk.",
        inside.degraded().len() as i64,
    )?;
    let totals = inside.connections().totals();
    page.streams(&totals)?;
    page.sources(&inside.sources())?;
    if let Some(world) = inside.world() {
        page.world(&world)?;
    }
    let omissions = inside.omissions().len() as i64;
    page.gauge(
        "pilothouse_omissions",
        "Findings while compiling for connected proxies.",
        omissions,
    )?;
    let mut text = Vec::new();
    let mut families = page.0.gather();
    families.push(histograms(
        "pilot_proxy_convergence_time",
        "Seconds from a change to the proxy's acknowledgement.",
        &totals.convergence,
    ));
    families.push(histograms(
        "pilot_xds_push_time",
        "Seconds from sending a response to the proxy's answer.",
        &totals.answer_time,
    ));
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(text)
}

/// Histograms are filled where the streams are; here they only take the form of the page.
fn histograms(name: &str, help: &str, by_kind: &[Histogram; Kind::COUNT]) -> proto::MetricFamily {
    let metrics = Kind::ALL.map(|kind| {
        let mut label = proto::LabelPair::default();
        label.set_name("type".into());
        label.set_value(kind.short().to_ascii_lowercase());
        let mut metric = proto::Metric::default();
        metric.set_label(vec![label]);
        metric.set_histogram(histogram(&by_kind[kind.index()]));
        metric
    });
    let mut family = proto::MetricFamily::default();
    family.set_name(name.into());
    family.set_help(help.into());
    family.set_field_type(proto::MetricType::HISTOGRAM);
    family.set_metric(metrics.into());
    family
}

fn histogram(recorded: &Histogram) -> proto::Histogram {
    let mut below = 0;
    let buckets = Histogram::bounds()
        .iter()
        .zip(recorded.counts)
        .map(|(bound, count)| {
            below += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(below);
            bucket
        });
    let mut histogram = proto::Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(recorded.count());
    histogram.set_sample_sum(recorded.sum.as_secs_f64());
    histogram
}

/// A page being written.
struct Page(Registry);

// === impl Page ===

impl Page {
    fn streams(&self, totals: &Totals) -> prometheus::Result<()> {
        self.gauge("pilot_xds", "Streams open.", totals.open as i64)?;
        self.counter("pilot_xds_connects", "Streams accepted.", totals.connects)?;
        self.counter(
            "pilot_xds_refused",
            "Streams refused, by limits or because nothing can be served yet.",
            totals.refused,
        )?;
        self.counter("pilot_xds_requests", "Requests received.", totals.requests)?;
        self.by_kind("pilot_xds_pushes", "Responses sent.", &totals.pushes)?;
        self.by_kind("pilot_xds_acks", "Responses acknowledged.", &totals.acks)?;
        self.by_kind(
            "pilot_xds_stale",
            "Requests that answer an outdated response.",
            &totals.stale,
        )?;
        self.by_kind(
            "pilot_xds_guards",
            "Times a guard time passed before the proxy answered.",
            &totals.guards,
        )?;
        self.counter(
            "pilot_total_xds_rejects",
            "Responses rejected by proxies.",
            totals.rejects.iter().sum(),
        )?;
        for kind in Kind::ALL {
            let name = format!("pilot_xds_{}_reject", kind.short().to_ascii_lowercase());
            self.counter(
                &name,
                "Responses of this type rejected by proxies.",
                totals.rejects[kind.index()],
            )?;
        }
        Ok(())
    }

    fn world(&self, world: &World) -> prometheus::Result<()> {
        let endpoints: usize = world.endpoints.values().map(|list| list.len()).sum();
        let empty = world
            .endpoints
            .values()
            .filter(|list| list.is_empty())
            .count();
        let found = |severity| {
            world
                .diagnostics
                .iter()
                .filter(|d| d.severity == severity)
                .count() as i64
        };
        self.gauge(
            "pilot_services",
            "Services known.",
            world.services.len() as i64,
        )?;
        self.gauge(
            "pilot_virt_services",
            "Virtual services in force.",
            world.virtual_services.len() as i64,
        )?;
        self.gauge(
            "pilothouse_destination_rules",
            "Destination rules in force.",
            world.destination_rules.len() as i64,
        )?;
        self.gauge(
            "pilothouse_gateways",
            "Gateways in force.",
            world.gateways.len() as i64,
        )?;
        self.gauge(
            "pilothouse_instances",
            "Instances known.",
            world.instances.len() as i64,
        )?;
        self.gauge(
            "pilot_xds_eds_instances",
            "Endpoints known, over all service ports.",
            endpoints as i64,
        )?;
        self.gauge(
            "pilot_eds_no_instances",
            "Service ports without an endpoint.",
            empty as i64,
        )?;
        self.gauge(
            "pilothouse_generation",
            "Generation of the published state.",
            world.generation as i64,
        )?;
        let findings = [
            ("error", found(Severity::Error)),
            ("warning", found(Severity::Warning)),
        ];
        self.gauges(
            "pilothouse_diagnostics",
            "Objects refused (error) or partly ignored (warning).",
            "severity",
            findings,
        )
    }

    fn sources(&self, sources: &[Source]) -> prometheus::Result<()> {
        let of =
            |value: fn(&Source) -> i64| sources.iter().map(move |s| (s.name.as_str(), value(s)));
        self.gauges(
            "pilothouse_source_synced",
            "Whether the first complete list has arrived.",
            "source",
            of(|s| s.synced.into()),
        )?;
        self.gauges(
            "pilothouse_source_connected",
            "Whether the source is in step with its origin.",
            "source",
            of(|s| (s.state == "streaming").into()),
        )?;
        self.gauges(
            "pilothouse_source_resync_age_seconds",
            "Age of the last full read; -1 before the first.",
            "source",
            of(|s| s.last_resync_seconds.map_or(-1, |age| age as i64)),
        )?;
        self.gauges(
            "pilothouse_source_events",
            "Changes that the origin has told of.",
            "source",
            of(|s| s.events as i64),
        )
    }

    fn by_kind(
        &self,
        name: &str,
        help: &str,
        values: &[u64; Kind::COUNT],
    ) -> prometheus::Result<()> {
        let metric = IntCounterVec::new(Opts::new(name, help), &["type"])?;
        for kind in Kind::ALL {
            metric
                .with_label_values(&[&kind.short().to_ascii_lowercase()])
                .inc_by(values[kind.index()]);
        }
        self.0.register(Box::new(metric))
    }

    fn counter(&self, name: &str, help: &str, value: u64) -> prometheus::Result<()> {
        let metric = IntCounter::new(name, help)?;
        metric.inc_by(value);
        self.0.register(Box::new(metric))
    }

    fn gauge(&self, name: &str, help: &str, value: i64) -> prometheus::Result<()> {
        let metric = IntGauge::new(name, help)?;
        metric.set(value);
        self.0.register(Box::new(metric))
    }

    fn gauges<'a>(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, i64)>,
    ) -> prometheus::Result<()> {
        let metric = IntGaugeVec::new(Opts::new(name, help), &[label])?;
        for (label, value) in values {
            metric.with_label_values(&[label]).set(value);
        }
        self.0.register(Box::new(metric))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_pilots() {
        let page = Page(Registry::new());
        let totals = Totals {
            open: 3,
            pushes: [1, 2, 3, 4, 0],
            rejects: [0, 0, 0, 2, 0],
            ..Totals::default()
        };
        page.streams(&totals).unwrap();
        page.world(&World::default()).unwrap();
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&page.0.gather(), &mut text)
            .unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "pilot_xds 3",
            "pilot_xds_pushes{type=\"lds\"} 3",
            "pilot_xds_rds_reject 2",
            "pilot_total_xds_rejects 2",
            "pilot_services 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
