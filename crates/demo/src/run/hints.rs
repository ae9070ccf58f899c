//! What to open and what to type.

use std::fmt::Write as _;

use crate::mesh::Mesh;
use crate::samples::{RATINGS_DELAY_JASON, REVIEWS_50_50, REVIEWS_JASON_V2, REVIEWS_V3, Sample};

/// Things to try: what it does, the file that it becomes, the sample.
const TRIES: [(&str, &str, Sample); 4] = [
    ("red stars for everybody", "reviews.yaml", REVIEWS_V3),
    (
        "black stars for jason only",
        "reviews.yaml",
        REVIEWS_JASON_V2,
    ),
    (
        "7 s of delay for jason, and the bug that it uncovers",
        "ratings.yaml",
        RATINGS_DELAY_JASON,
    ),
    (
        "no stars for half of the visitors",
        "reviews.yaml",
        REVIEWS_50_50,
    ),
];

/// The text that is printed when the mesh is ready.
pub(super) fn hints(mesh: &Mesh) -> String {
    let mut out = String::from("\nThe mesh is up. Open\n");
    open(&mut out, mesh);
    out.push_str("\nChange the traffic and reload the page a few times\n");
    files(&mut out, mesh);
    out.push_str("\nMove workloads about\n");
    workloads(&mut out, mesh);
    out.push_str("\nCtrl-C ends it and leaves nothing behind.");
    out
}

// Writing to a String cannot fail; here and below.
fn open(out: &mut String, mesh: &Mesh) {
    if let Some(gateway) = mesh.gateway() {
        let _ = writeln!(out, "  http://{gateway}/productpage");
        let _ = writeln!(out, "  http://{gateway}/login?user=jason   and /logout");
    }
    let pages = mesh.pages().url();
    let _ = writeln!(out, "  {pages}/   the control plane");
    let _ = writeln!(
        out,
        "  {pages}/debug/syncz   what each Envoy has acknowledged"
    );
    let _ = writeln!(
        out,
        "  {pages}/debug/diagnosticsz?format=text   what is wrong with a file"
    );
    let marathon = mesh.marathon().url();
    let _ = writeln!(
        out,
        "  {marathon}/v2/pods/::status   the simulated Marathon"
    );
    for workload in mesh
        .workloads()
        .iter()
        .filter(|workload| workload.role.is_some())
    {
        let _ = writeln!(
            out,
            "  http://{}   Envoy of {}",
            workload.admin.addr(),
            workload.name
        );
    }
}

fn files(out: &mut String, mesh: &Mesh) {
    let (samples, config) = (
        short(&mesh.files().samples()),
        short(&mesh.files().config()),
    );
    for (what, file, sample) in TRIES {
        let name = sample.name();
        let _ = writeln!(out, "  cp {samples}/{name} {config}/{file}   # {what}");
    }
    let _ = writeln!(out, "  rm {config}/ratings.yaml   # no delay any more");
    let _ = writeln!(
        out,
        "  $EDITOR {config}/destination-rules.yaml   # or anything else"
    );
}

fn workloads(out: &mut String, mesh: &Mesh) {
    let marathon = mesh.marathon().url();
    let _ = writeln!(
        out,
        "  curl -s {marathon}/v2/pods/reviews-v3 | sed 's/\"instances\": *1/\"instances\":2/' |\n    \
         curl -s -X PUT -H 'Content-Type: application/json' -d @- {marathon}/v2/pods/reviews-v3"
    );
    if let Some(task) = mesh.workloads_of("/ratings").first() {
        let _ = writeln!(
            out,
            "  curl -s -X DELETE {marathon}/v2/pods/ratings::instances/{}   # it comes back",
            task.instance
        );
    }
}

/// As seen from the current directory, if it is below.
fn short(path: &std::path::Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}
