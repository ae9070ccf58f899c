//! From flags to Marathons: which there are, and who we are to them.

use std::collections::BTreeSet;

use reqwest::Url;
use watch::marathon::{self, Credentials, Tls};

use super::{ConfigError, parse_url};
use crate::Args;
use crate::args::{MarathonArgs, OptionKey};

/// The name of the source that --mesosMaster makes.
const DEFAULT: &str = "marathon";
/// The name of the source that --configDir makes.
const DIRECTORY: &str = "directory";

/// A Marathon, under the name that its source has.
#[derive(Debug, Clone)]
pub struct NamedOptions {
    pub name: String,
    pub options: marathon::Options,
}

// === impl NamedOptions ===

impl NamedOptions {
    /// The only Marathon, which needs no name.
    pub(super) fn default_of(urls: impl IntoIterator<Item = Url>) -> NamedOptions {
        NamedOptions {
            name: DEFAULT.into(),
            options: marathon::Options::new(urls),
        }
    }
}

/// All Marathons of the flags. Credentials and certificates are the same for each that has none of
/// its own; user and password may also stand in a URL.
pub(super) fn read(args: &Args) -> Result<Vec<NamedOptions>, ConfigError> {
    let flags = &args.marathon;
    let mut marathons = Vec::new();
    if !flags.mesos_master.is_empty() {
        let urls = urls("--mesosMaster", &flags.mesos_master)?;
        marathons.push(NamedOptions::default_of(urls));
    }
    for named in &flags.named {
        let flag = format!("--marathon {}", named.name);
        marathons.push(NamedOptions {
            name: named.name.clone(),
            options: marathon::Options::new(urls(&flag, &named.urls)?),
        });
    }
    if marathons.is_empty() && !args.registries.is_empty() {
        return Err(ConfigError::NoMarathon);
    }
    let mut names = BTreeSet::from([DIRECTORY, super::kube::SOURCE]);
    if let Some(twice) = marathons.iter().find(|m| !names.insert(&m.name)) {
        return Err(ConfigError::MarathonName(twice.name.clone()));
    }
    let (credentials, tls) = (credentials(flags)?, tls(flags));
    for marathon in &mut marathons {
        marathon.options.credentials.clone_from(&credentials);
        marathon.options.tls.clone_from(&tls);
        personalise(marathon, flags)?;
    }
    let mut options = flags.marathon_option.iter();
    match options.find(|option| !marathons.iter().any(|m| m.name == option.name)) {
        Some(stray) => Err(ConfigError::NoSuchMarathon(stray.name.clone())),
        None => Ok(marathons),
    }
}

/// Puts what holds for one Marathon alone in the place of what holds for all.
fn personalise(marathon: &mut NamedOptions, flags: &MarathonArgs) -> Result<(), ConfigError> {
    let mut own = MarathonArgs::default();
    let options = flags.marathon_option.iter();
    for option in options.filter(|option| option.name == marathon.name) {
        let file = || Some(option.value.clone().into());
        match option.key {
            OptionKey::User => own.marathon_user = Some(option.value.clone()),
            OptionKey::PasswordFile => own.marathon_password_file = file(),
            OptionKey::TokenFile => own.marathon_token_file = file(),
            OptionKey::Credential => own.marathon_credential = file(),
            OptionKey::CaFile => own.marathon_ca_file = file(),
            OptionKey::CertFile => own.marathon_cert_file = file(),
            OptionKey::KeyFile => own.marathon_key_file = file(),
        }
    }
    if own.marathon_cert_file.is_some() != own.marathon_key_file.is_some() {
        return Err(ConfigError::HalfIdentity(marathon.name.clone()));
    }
    if let Some(credentials) = credentials(&own)? {
        marathon.options.credentials = Some(credentials);
    }
    let tls = tls(&own);
    if tls.authorities.is_some() {
        marathon.options.tls.authorities = tls.authorities;
    }
    if tls.identity.is_some() {
        marathon.options.tls.identity = tls.identity;
    }
    Ok(())
}

fn urls(flag: &str, texts: &[String]) -> Result<Vec<Url>, ConfigError> {
    texts.iter().map(|text| parse_url(flag, text)).collect()
}

fn credentials(flags: &MarathonArgs) -> Result<Option<Credentials>, ConfigError> {
    let user = flags.marathon_user.clone();
    let password = flags.marathon_password.clone();
    let basic = match (user, password, flags.marathon_password_file.clone()) {
        (Some(user), Some(password), None) => Some(Credentials::Basic {
            user,
            password: password.0,
        }),
        (Some(user), None, Some(file)) => Some(Credentials::PasswordFile { user, file }),
        (None, None, None) => None,
        (_, Some(_), Some(_)) => {
            let both = "--marathonPassword and --marathonPasswordFile";
            return Err(ConfigError::TwoCredentials(both.into()));
        }
        _ => return Err(ConfigError::HalfCredentials),
    };
    let token = flags
        .marathon_token_file
        .clone()
        .map(Credentials::TokenFile);
    let account = flags
        .marathon_credential
        .clone()
        .map(Credentials::ServiceAccount);
    let given = [
        ("--marathonUser", basic),
        ("--marathonTokenFile", token),
        ("--marathonCredential", account),
    ];
    let mut given = given.into_iter().filter_map(|(flag, c)| Some((flag, c?)));
    let Some((flag, credentials)) = given.next() else {
        return Ok(None);
    };
    match given.next() {
        Some((other, _)) => Err(ConfigError::TwoCredentials(format!("{flag} and {other}"))),
        None => Ok(Some(credentials)),
    }
}

fn tls(flags: &MarathonArgs) -> Tls {
    let certificate = flags.marathon_cert_file.clone();
    Tls {
        authorities: flags.marathon_ca_file.clone(),
        identity: certificate.zip(flags.marathon_key_file.clone()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn marathons(line: &str) -> Result<Vec<NamedOptions>, ConfigError> {
        let line = std::iter::once("discovery").chain(line.split_whitespace());
        read(&Args::try_parse_from(line).unwrap())
    }

    #[test]
    fn each_marathon_has_a_name_of_its_own() {
        let found = marathons("--mesosMaster http://m:8080 --marathon mom=http://a:8080,http://b:8080 --marathon x=https://x/marathon").unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|m| (m.name.as_str(), m.options.urls.len()))
            .collect();
        assert_eq!(told, [("marathon", 1), ("mom", 2), ("x", 1)]);
        for twice in [
            "--marathon a=http://a --marathon a=http://b",
            "--mesosMaster http://m --marathon marathon=http://b",
            "--marathon directory=http://b",
        ] {
            assert!(
                matches!(marathons(twice), Err(ConfigError::MarathonName(_))),
                "{twice}"
            );
        }
        for wrong in ["a", "=http://a", "a=", "a b=http://a"] {
            assert!(
                Args::try_parse_from(["discovery", "--marathon", wrong]).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn there_is_one_way_to_tell_who_we_are() {
        let of = |flags: &str| marathons(&format!("--mesosMaster http://m {flags}"));
        let told = |flags: &str| of(flags).unwrap()[0].options.credentials.clone();
        assert_eq!(told(""), None);
        assert_eq!(
            told("--marathonTokenFile /t"),
            Some(Credentials::TokenFile("/t".into()))
        );
        assert_eq!(
            told("--marathon-credential /a"),
            Some(Credentials::ServiceAccount("/a".into()))
        );
        let file = Credentials::PasswordFile {
            user: "u".into(),
            file: "/p".into(),
        };
        assert_eq!(
            told("--marathonUser u --marathonPasswordFile /p"),
            Some(file)
        );
        for half in [
            "--marathonUser u",
            "--marathonPassword p",
            "--marathonPasswordFile /p",
        ] {
            assert!(
                matches!(of(half), Err(ConfigError::HalfCredentials)),
                "{half}"
            );
        }
        for two in [
            "--marathonUser u --marathonPassword p --marathonPasswordFile /p",
            "--marathonUser u --marathonPassword p --marathonTokenFile /t",
            "--marathonTokenFile /t --marathonCredential /a",
        ] {
            assert!(
                matches!(of(two), Err(ConfigError::TwoCredentials(_))),
                "{two}"
            );
        }
    }

    #[test]
    fn a_marathon_may_have_credentials_and_certificates_of_its_own() {
        let line = "--mesosMaster https://m --marathon mom.two=https://a --marathonTokenFile /all \
            --marathonCaFile /ca --marathonOption mom.two.user=u \
            --marathonOption mom.two.passwordFile=/p --marathonOption mom.two.caFile=/own \
            --marathonOption marathon.certFile=/c --marathonOption marathon.keyFile=/k";
        let found = marathons(line).unwrap();
        let (all, own) = (&found[0].options, &found[1].options);
        assert_eq!(all.credentials, Some(Credentials::TokenFile("/all".into())));
        let file = Credentials::PasswordFile {
            user: "u".into(),
            file: "/p".into(),
        };
        assert_eq!(own.credentials, Some(file));
        assert_eq!(all.tls.authorities, Some("/ca".into()));
        assert_eq!(all.tls.identity, Some(("/c".into(), "/k".into())));
        assert_eq!(own.tls.authorities, Some("/own".into()));
        assert_eq!(own.tls.identity, None);
        let of =
            |option: &str| marathons(&format!("--mesosMaster http://m --marathonOption {option}"));
        assert!(
            matches!(of("mom.user=u"), Err(ConfigError::NoSuchMarathon(name)) if name == "mom")
        );
        assert!(matches!(
            of("marathon.user=u"),
            Err(ConfigError::HalfCredentials)
        ));
        assert!(matches!(
            of("marathon.keyFile=/k"),
            Err(ConfigError::HalfIdentity(_))
        ));
        for wrong in ["mom", "mom=u", "mom.colour=red", ".user=u", "mom.user="] {
            let parsed = Args::try_parse_from(["discovery", "--marathonOption", wrong]);
            assert!(parsed.is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let line =
            "discovery --mesosMaster http://u:s3cret@m --marathonUser u --marathonPassword s3cret";
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        assert!(!format!("{:?}", args.marathon.marathon_password).contains("s3cret"));
        let error = marathons("--mesosMaster http://u:s3cret@m:port").unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        let error = Args::try_parse_from(["discovery", "--marathon", "u:s3cret@m"]).unwrap_err();
        assert!(error.to_string().contains("mom=http://mom.mesos:8080"));
    }

    #[test]
    fn certificates_come_in_pairs() {
        let tls = &marathons("--mesosMaster https://m --marathonCaFile /ca --marathonCertFile /c --marathonKeyFile /k").unwrap()[0].options.tls;
        assert_eq!(tls.authorities, Some("/ca".into()));
        assert_eq!(tls.identity, Some(("/c".into(), "/k".into())));
        assert!(Args::try_parse_from(["discovery", "--marathonCertFile", "/c"]).is_err());
    }
}
