//! Where a process runs: a network namespace, and what it sees of `/etc` there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use demo::nursery::{self, Order};
use tokio::process::Child;

use crate::layout::MASTER;

/// A namespace, entered by a script, and the directory whose `etc` is laid over the machine's and whose `certs` become
/// `/etc/certs`. The machine itself sees nothing of either.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    directory: PathBuf,
}

/// Who runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    /// By number; there need be no account of it.
    Id(u32),
}

impl Place {
    /// Prepares the files; the namespace is somebody else's business.
    pub(crate) fn prepare(namespace: String, directory: PathBuf) -> io::Result<Place> {
        let etc = directory.join("etc");
        fs::create_dir_all(etc.join("certs"))?;
        fs::create_dir_all(directory.join("certs"))?;
        fs::write(etc.join("resolv.conf"), format!("nameserver {MASTER}\n"))?;
        fs::write(etc.join("hosts"), "127.0.0.1 localhost\n")?;
        let place = Place { directory };
        write_program(&place.enter(), &script(&namespace, &place.directory))?;
        Ok(place)
    }

    /// Runs its arguments there.
    pub(crate) fn enter(&self) -> PathBuf {
        self.directory.join("enter")
    }

    /// What becomes `/etc/certs`.
    pub(crate) fn certs(&self) -> PathBuf {
        self.directory.join("certs")
    }

    /// Its files on the machine: certificates, logs.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The command line that runs a program there.
    pub(crate) fn command(&self, user: User, program: &[&str]) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["sh".into(), self.enter().into()];
        if let User::Id(id) = user {
            let id = id.to_string();
            // The guard of the nursery is lost with a change of user, hence a second one.
            line.extend(
                ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"].map(OsString::from),
            );
            line.extend(["--pdeathsig", "KILL", "--"].map(OsString::from));
        }
        line.extend(program.iter().map(OsString::from));
        line
    }

    /// Starts a program there; what it prints goes to `<name>.log` among the place's files. It ends
    /// with its handle.
    pub(crate) async fn start(
        &self,
        name: &str,
        user: User,
        program: &[&str],
    ) -> io::Result<Child> {
        let log = self.directory.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(log)?;
        let mut line = self.command(user, program).into_iter();
        let program = PathBuf::from(line.next().unwrap_or_default());
        let args = line.collect();
        nursery::spawn(Order { program, args, log }).await
    }
}

/// The script that runs its arguments in a namespace, for people and for the rig itself. The overlay
/// has no upper layer, so that any number of processes can have it at once.
fn script(namespace: &str, directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "#!/bin/sh\n\
         exec ip netns exec {namespace} sh -c 'mount -t overlay overlay -o lowerdir=\"$0/etc\":/etc /etc && \
         mount --bind \"$0/certs\" /etc/certs && exec \"$@\"' \"{directory}\" \"$@\"\n"
    )
}

/// Writes a file that can be run.
pub(crate) fn write_program(file: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}
