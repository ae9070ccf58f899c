//! Thousands of virtual services in etcd: how soon the control plane is ready and how much memory
//! it has then, beside a process that does nothing but reflect the same objects.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use generate::process::Memory;
use generate::stat::Samples;
use rig::Rig;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::look::{LIMIT, Pages, shell, until};
use crate::report::{Report, Row};

/// What a process was like when it had all objects.
#[derive(Default)]
struct Figures {
    ready: Samples,
    memory: Samples,
    peak: Samples,
}

/// What is measured.
pub(crate) struct Many {
    pub(crate) objects: usize,
    pub(crate) rounds: usize,
    /// The program that reflects.
    pub(crate) measure: PathBuf,
}

impl Many {
    pub(crate) async fn run(&self, rig: &mut Rig, report: &mut Report) -> Result<()> {
        let (objects, rounds) = (self.objects, self.rounds);
        let pages = Pages::of(rig)?;
        write(rig, objects).await?;
        rig.control().kill().await?;
        let kubeconfig = outside(rig)?;
        let (mut ours, mut bare) = (Figures::default(), Figures::default());
        for _ in 0..rounds {
            start(rig, &pages, &mut ours).await?;
            reflect(&self.measure, &kubeconfig, objects, &mut bare).await?;
        }
        let ratio = ours.memory.median() / bare.memory.median();
        report.row(&Row {
            case: "kube/many".into(),
            settings: vec![("objects", objects.into()), ("rounds", rounds.into())],
            figure: "memory, times the reflector's",
            value: ratio,
            columns: vec![
                ("ready after ms", ours.ready.to_json()),
                ("reflector: all read after ms", bare.ready.to_json()),
                ("memory MB", ours.memory.to_json()),
                ("reflector: memory MB", bare.memory.to_json()),
                ("peak MB", ours.peak.to_json()),
                ("reflector: peak MB", bare.peak.to_json()),
            ],
        })
    }
}

/// As operators do, so that each object has what kubectl and the apiserver add to it.
async fn write(rig: &Rig, objects: usize) -> Result<()> {
    let file = rig.layout().directory().join("objects.yaml");
    let mut out = std::io::BufWriter::new(fs::File::create(&file)?);
    out.write_all(COMMON.as_bytes())?;
    for number in 0..objects {
        out.write_all(virtual_service(number).as_bytes())?;
    }
    out.flush()?;
    let wait = "kubectl wait --for=condition=Established --timeout=60s crd/virtualservices.networking.istio.io \
                crd/gateways.networking.istio.io crd/serviceentries.networking.istio.io";
    until("definitions", async || shell(rig, wait).await.ok()).await?;
    let line = format!("kubectl create --save-config -f {} | wc -l", file.display());
    let created = shell(rig, &line).await?;
    ensure!(
        created.trim() == (objects + 2).to_string(),
        "created: {created}"
    );
    Ok(())
}

/// The rig's own kubeconfig, from this side of its link.
fn outside(rig: &Rig) -> Result<PathBuf> {
    let directory = rig.layout().directory();
    let text = fs::read_to_string(directory.join("kubeconfig"))?;
    let text = text.replace("127.0.0.1", &rig.layout().inside().to_string());
    let file = directory.join("kubeconfig-outside");
    fs::write(&file, text)?;
    Ok(file)
}

async fn start(rig: &mut Rig, pages: &Pages, figures: &mut Figures) -> Result<()> {
    let begun = Instant::now();
    rig.control().start().await?;
    until("ready", async || pages.get("/ready").await).await?;
    let ready = begun.elapsed();
    let pid = rig.control().id().context("the control plane runs")?;
    figures.add(ready, pid);
    Ok(rig.control().kill().await?)
}

async fn reflect(
    program: &Path,
    kubeconfig: &Path,
    objects: usize,
    figures: &mut Figures,
) -> Result<()> {
    let begun = Instant::now();
    let mut child = Command::new(program)
        .arg("--reflector")
        .arg(kubeconfig)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let out = child.stdout.take().context("its output")?;
    let mut lines = BufReader::new(out).lines();
    let line = tokio::time::timeout(LIMIT, lines.next_line()).await??;
    let ready = begun.elapsed();
    ensure!(
        line == Some(objects.to_string()),
        "the reflector has {line:?}"
    );
    figures.add(ready, child.id().context("the reflector runs")?);
    Ok(child.kill().await?)
}

impl Figures {
    fn add(&mut self, ready: Duration, pid: u32) {
        let memory = Memory::of(pid);
        self.ready.add(ready.as_secs_f64() * 1e3);
        self.memory.add(memory.now);
        self.peak.add(memory.peak);
    }
}

/// Where all virtual services come from and lead to.
const COMMON: &str = "\
apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*']
---
apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: backend, namespace: default}
spec:
  hosts: [backend.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
";

/// One with two routes, as long as those of real shops.
fn virtual_service(number: usize) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: shop-{number}
  namespace: default
  labels: {{team: team-{team}, app: shop-{number}}}
spec:
  hosts: [shop-{number}.example.com]
  gateways: [edge]
  http:
  - match:
    - uri: {{prefix: /v2/}}
      headers: {{end-user: {{exact: tester-{number}}}}}
    rewrite: {{uri: /shops/{number}/next/}}
    route:
    - destination: {{host: backend.example.com, port: {{number: 80}}}}
    timeout: 3s
  - match:
    - uri: {{prefix: /}}
    route:
    - destination: {{host: backend.example.com, port: {{number: 80}}}}
    retries: {{attempts: 3, perTryTimeout: 2s}}
    timeout: 10s
",
        team = number % 40
    )
}
