//! The Bookinfo sample of `config/samples/bookinfo`, inside the binary.

use serde_json::Value;

macro_rules! sample {
    ($file:literal) => {
        Sample {
            file: $file,
            text: include_str!(concat!("../../../config/samples/bookinfo/", $file)),
        }
    };
}

/// One file of the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its path below `config/samples/bookinfo`.
    pub file: &'static str,
    /// Its content.
    pub text: &'static str,
}

/// The Marathon pods, gateway last.
pub const PODS: [Sample; 7] = [
    sample!("productpage.json"),
    sample!("details.json"),
    sample!("ratings.json"),
    sample!("reviews.json"),
    sample!("reviews-v2.json"),
    sample!("reviews-v3.json"),
    sample!("istio-ingressgateway.json"),
];

/// The way in: Gateway and its VirtualService.
pub const GATEWAY: Sample = sample!("networking/gateway.yaml");
/// The subsets of all services.
pub const DESTINATION_RULES: Sample = sample!("networking/destination-rules.yaml");
/// Everybody to reviews v3.
pub const REVIEWS_V3: Sample = sample!("networking/reviews-v3.yaml");
/// jason to reviews v2, everybody else to v3.
pub const REVIEWS_JASON_V2: Sample = sample!("networking/reviews-jason-v2.yaml");
/// Ratings answer jason 7 s later.
pub const RATINGS_DELAY_JASON: Sample = sample!("networking/ratings-delay-jason.yaml");
/// Half of the requests to reviews v1, half to v3.
pub const REVIEWS_50_50: Sample = sample!("networking/reviews-50-50.yaml");

/// All Istio files.
pub const NETWORKING: [Sample; 6] = [
    GATEWAY,
    DESTINATION_RULES,
    REVIEWS_V3,
    REVIEWS_JASON_V2,
    RATINGS_DELAY_JASON,
    REVIEWS_50_50,
];

impl Sample {
    /// The file's name without its directory, for example `gateway.yaml`.
    pub fn name(&self) -> &'static str {
        self.file.rsplit('/').next().unwrap_or(self.file)
    }
}

/// The pods as Marathon takes them.
pub fn pods() -> Vec<Value> {
    let parse = |sample: &Sample| serde_json::from_str(sample.text);
    PODS.iter()
        .map(|sample| parse(sample).expect("the samples are JSON; a test reads them"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookinfo::{PORT, Service};
    use serde::Deserialize;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn documents(sample: Sample) -> Vec<Value> {
        let documents = serde_yaml::Deserializer::from_str(sample.text);
        documents
            .map(|document| Value::deserialize(document).unwrap())
            .collect()
    }

    fn labels(pod: &Value) -> (&str, &str) {
        let label = |name: &str| pod["labels"][name].as_str().unwrap_or_default();
        (label("istio"), label("version"))
    }

    #[test]
    fn every_file_of_the_directory_is_in_the_binary() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/samples/bookinfo");
        let mut on_disk = BTreeSet::new();
        for below in ["", "networking"] {
            for entry in fs::read_dir(dir.join(below)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && path.extension().is_none_or(|kind| kind != "md") {
                    let file = path.strip_prefix(&dir).unwrap();
                    on_disk.insert(file.to_str().unwrap().to_owned());
                }
            }
        }
        let all = PODS.iter().chain(&NETWORKING);
        let ours: BTreeSet<String> = all.map(|sample| sample.file.to_owned()).collect();
        assert_eq!(ours, on_disk);
    }

    #[test]
    fn pods_are_named_by_their_file_and_joined_by_labels() {
        for (sample, pod) in PODS.iter().zip(pods()) {
            let id = pod["id"].as_str().unwrap();
            assert_eq!(format!("{}.json", &id[1..]), sample.file);
            assert_eq!(pod["networks"][0]["mode"], "container/bridge", "{id}");
            let endpoint = &pod["containers"][0]["endpoints"][0];
            assert_eq!(endpoint["hostPort"], 0, "{id}");
            let (istio, version) = labels(&pod);
            if istio == "ingressgateway" {
                assert_eq!(endpoint["labels"]["istio.io/service-port"], "80");
                continue;
            }
            let service = Service::from_labels(istio, version).expect(id);
            assert_eq!((service.name(), service.version()), (istio, version));
            assert_eq!(
                (&endpoint["name"], &endpoint["containerPort"]),
                (&"http-9080".into(), &PORT.into())
            );
        }
    }

    #[test]
    fn subsets_name_versions_that_pods_have() {
        let pods = pods();
        let deployed: BTreeSet<_> = pods.iter().map(labels).collect();
        let mut subsets = BTreeSet::new();
        for rule in documents(DESTINATION_RULES) {
            let host = rule["spec"]["host"].as_str().unwrap();
            let service = host
                .strip_suffix(".marathon.slave.mesos")
                .unwrap()
                .to_owned();
            for subset in rule["spec"]["subsets"].as_array().unwrap() {
                let version = subset["labels"]["version"].as_str().unwrap();
                assert_eq!(subset["name"], version);
                assert!(
                    deployed.contains(&(service.as_str(), version)),
                    "{host} {version}"
                );
                subsets.insert((service.clone(), version.to_owned()));
            }
        }
        assert_eq!(subsets.len(), 6);
    }

    #[test]
    fn routes_lead_to_subsets_that_exist() {
        let rules = documents(DESTINATION_RULES);
        let known = |host: &Value, subset: &Value| {
            let rule = rules
                .iter()
                .find(|rule| rule["spec"]["host"] == *host)
                .unwrap();
            let subsets = rule["spec"]["subsets"].as_array().unwrap();
            subset.is_null() || subsets.iter().any(|one| one["name"] == *subset)
        };
        let mut destinations = 0;
        for route in NETWORKING.iter().flat_map(|sample| documents(*sample)) {
            for http in route["spec"]["http"].as_array().into_iter().flatten() {
                for to in http["route"].as_array().unwrap() {
                    let to = &to["destination"];
                    assert!(known(&to["host"], &to["subset"]), "{to}");
                    destinations += 1;
                }
            }
        }
        assert_eq!(destinations, 8);
    }
}
