//! Where a live test says something: with which modules, of which generations, relinked in which way.

use crate::subject::{Subject, Way};

/// The subjects that a test runs on.
#[derive(Clone, Copy, Debug)]
pub struct Subjects {
    package: bool,
    /// The shapes of the look-alike.
    shapes: &'static [&'static str],
    from_source: bool,
}

/// All shapes of the look-alike; see `tests/live/build-lookalike.sh`.
pub const SHAPES: &[&str] = &["3.1", "3.2.8", "3.2.10", "3.3", "3.4", "3.5"];
/// Those of which 3.3 has mended some defects.
pub const UNTIL_3_2: &[&str] = &["3.1", "3.2.8", "3.2.10"];

/// The distribution's module, and the look-alike in each shape.
pub const EVERYWHERE: Subjects = Subjects { package: true, shapes: SHAPES, from_source: false };
/// The distribution's module alone: applications, publisher, and what the generations before 3.5 do not have.
pub const PACKAGE: Subjects = Subjects { shapes: &[], ..EVERYWHERE };
/// The look-alike alone: what its handlers use, and the defects that it has on purpose.
pub const LOOKALIKE: Subjects = Subjects { package: false, ..EVERYWHERE };

impl Subjects {
    /// Of the look-alikes those in these shapes.
    #[must_use]
    pub const fn shaped(self, shapes: &'static [&'static str]) -> Self {
        Self { shapes, ..self }
    }

    /// Of the look-alikes those that are relinked from source: the stock one of the other ways is the same, and they
    /// cannot have some of what a source lets us change.
    #[must_use]
    pub const fn from_source(self) -> Self {
        Self { from_source: true, ..self }
    }

    /// Whether a test of those says something of the subject.
    pub fn has(&self, subject: &Subject) -> bool {
        match subject.way() {
            None => self.package,
            Some(way) => self.shapes.contains(&subject.shape()) && (way == Way::Source || !self.from_source),
        }
    }
}
