//! Where a live test says something: with which modules, of which generations, relinked in which way.

use crate::subject::{Subject, Way};

/// What the subjects of a test have in common.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    package: bool,
    /// The shapes of the test host.
    shapes: &'static [&'static str],
    from_source: bool,
}

/// All shapes of the test host; see `tests/live/build-host.sh`.
pub const SHAPES: &[&str] = &["3.1", "3.2.8", "3.2.10", "3.3", "3.4", "3.5"];
/// Those of which 3.3 has mended some defects.
pub const UNTIL_3_2: &[&str] = &["3.1", "3.2.8", "3.2.10"];

/// The distribution's module, and the test host in each shape.
pub const EVERYWHERE: Place = Place { package: true, shapes: SHAPES, from_source: false };
/// The distribution's module alone: applications, publisher, and what the generations before 3.5 do not have.
pub const PACKAGE: Place = Place { shapes: &[], ..EVERYWHERE };
/// The test host alone: what its handlers use, and the defects that it has on purpose.
pub const HOST: Place = Place { package: false, ..EVERYWHERE };

impl Place {
    /// Of the test hosts those in these shapes.
    #[must_use]
    pub const fn shaped(self, shapes: &'static [&'static str]) -> Self {
        Self { shapes, ..self }
    }

    /// Of the test hosts those that are relinked from source: the stock host of the other ways is the same, and they
    /// cannot have some of what a source lets us change.
    #[must_use]
    pub const fn from_source(self) -> Self {
        Self { from_source: true, ..self }
    }

    /// Whether a test of that place says something of the subject.
    pub fn has(&self, subject: &Subject) -> bool {
        match subject.way() {
            None => self.package,
            Some(way) => self.shapes.contains(&subject.shape()) && (way == Way::Source || !self.from_source),
        }
    }
}
