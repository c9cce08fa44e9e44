//! `skinflint models pull`

use std::path::Path;

use skinflint_local_model::{CATALOG, CatalogEntry, HubName, Progress, is_path, locate_path, pull};

use super::{
    super::{Outcome, out},
    bar::Bar,
    hub::Hub,
};

pub(super) fn run<'a>(names: impl Iterator<Item = &'a str>, folder: &Path) -> Outcome {
    let mut hub = None;
    for name in names {
        if let Some(entry) = CatalogEntry::named(name) {
            of_catalogue(entry, folder)?;
        } else if is_path(name) {
            let path = locate_path(Path::new(name))?;
            out::note("a path: there is nothing to fetch");
            out::line(path.display());
        } else if name.contains(['/', ':', '@']) {
            let name = HubName::parse(name)?;
            let hub = match &mut hub {
                Some(hub) => hub,
                none => none.insert(Hub::open()?),
            };
            hub.pull(&name, folder)?;
        } else {
            return Err(unknown(name).into());
        }
    }
    Ok(())
}

fn of_catalogue(entry: &CatalogEntry, folder: &Path) -> Outcome {
    out::note(format_args!(
        "{}: {}\nlicence: {} <{}>\n{}",
        entry.name, entry.description, entry.licence, entry.licence_url, entry.notice
    ));
    let mut bar = Bar::new(entry.name, entry.bytes());
    let path = pull(entry, folder, &mut |progress| show(&mut bar, progress))?;
    drop(bar);
    out::line(path.display());
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of the callback")]
fn show(bar: &mut Bar, progress: Progress) {
    match progress {
        Progress::AlreadyThere => bar.note("already here"),
        Progress::Fetching {
            number,
            count,
            package,
        } => bar.doing(format!("fetching {package} ({number} of {count})")),
        Progress::Joined { bytes, .. } => bar.at(bytes),
        Progress::Verified => bar.note("sizes and checksums are right"),
        // Stages that a later version reports are no result to print.
        _ => {}
    }
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = CATALOG
        .iter()
        .map(|entry| format!("`{}`", entry.name))
        .collect();
    format!(
        "no model `{name}` in the catalogue, which has {}; models of Hugging Face are named `org/name`",
        known.join(", ")
    )
}
