//! What a Marathon calls itself, and what is told where the mesh has other names.

use ::watch::marathon::{Marathon, Options};
use simulator::Simulator;

use crate::sources::ear::Ear;
use crate::sources::source::timing;

/// The codes that are told of a Marathon with that name, and the name that is shown.
async fn told(framework: &str, domains: &[&str]) -> (Vec<&'static str>, Option<String>) {
    let simulator = Simulator::start(simulator::Options {
        framework_name: framework.to_owned(),
        ..simulator::Options::default()
    });
    let simulator = simulator.await.unwrap();
    let mut options = Options::new([simulator.url().parse().unwrap()]);
    options.timing = timing();
    options.domains = domains.iter().map(|domain| domain.to_string()).collect();
    let marathon = Marathon::new(options, "marathon").unwrap();
    let mut ear = Ear::listen(marathon.status(), |tx, status, shutdown| {
        marathon.run(tx, status, shutdown)
    });
    ear.until_list(1).await;
    (ear.codes().to_vec(), ear.status().framework)
}

#[tokio::test]
async fn a_framework_that_the_mesh_has_no_domain_of_is_told() {
    let mom = || Some("mom".to_owned());
    let domain = "marathon.slave.mesos";
    assert_eq!(told("mom", &[domain]).await, (vec!["PH0213"], mom()));
    assert_eq!(told("mom", &[domain, "mom.mesos"]).await, (vec![], mom()));
    let usual = Some("marathon".to_owned());
    assert_eq!(told("marathon", &[domain]).await, (vec![], usual));
    // Who has no domain of its own does not ask.
    assert_eq!(told("mom", &[]).await, (vec![], None));
}
