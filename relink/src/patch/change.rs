//! Changes in the tree itself.

use crate::cli::PatchArguments;
use crate::exposed::Exposed;
use crate::failure::Failure;
use crate::files::{self, Change};

/// Changes all the files of the tree, or none. Says who else could have done so.
pub fn change(arguments: &PatchArguments, changes: &[Change<'_>]) -> Result<Vec<String>, Failure> {
    changes.iter().try_for_each(|change| files::check_writable(change.entry()))?;
    if !arguments.dry_run {
        files::change_all(changes)?;
    }
    let mut exposed = Exposed::default();
    for file in changes {
        exposed.look_at(&file.entry().path());
    }
    Ok(exposed.warnings().collect())
}
