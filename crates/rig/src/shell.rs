//! An operator's shell beside the master: `dcos`, `kubectl` and `curl` do what the guide says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::layout::Layout;
use crate::place::write_program;

/// `dcos`, as far as the guide uses it: Marathon's REST API, and commands inside tasks.
const DCOS: &str = include_str!("shell/dcos.sh");

/// Writes the shell of a rig, and the programs that it has.
pub(crate) fn write(layout: Layout, own: &Path) -> io::Result<()> {
    let bin = layout.directory().join("bin");
    fs::create_dir_all(&bin)?;
    let pods = layout.directory().join("pods");
    let marathon = format!("http://{}:8080", layout.outside());
    let dcos = DCOS
        .replace("@MARATHON@", &marathon)
        .replace("@PODS@", &pods.display().to_string());
    write_program(&bin.join("dcos"), &dcos)?;
    let line = format!("#!/bin/sh\nexec {} \"$@\"\n", own.display());
    write_program(&bin.join("pilothouse"), &line)?;
    let kubeconfig = layout.directory().join("kubeconfig");
    let shell = format!(
        "#!/bin/sh\nPATH={}:$PATH KUBECONFIG={} PS1='rig> ' exec bash --norc \"$@\"\n",
        bin.display(),
        kubeconfig.display()
    );
    write_program(&file(layout), &shell)
}

/// The shell itself; it must be run in the master's place.
pub(crate) fn file(layout: Layout) -> PathBuf {
    layout.directory().join("shell")
}
