//! Known defects of mod_python, as far as they are an administrator's business: the installations that have them, and
//! the cures.

use crate::generation::{Generation, Named};

/// One defect.
#[derive(Debug)]
pub struct Defect {
    pub name: &'static str,
    pub what: &'static str,
    /// The generations that have it; an empty list means all.
    generations: &'static [Generation],
    /// Does it take threads?
    threaded: bool,
    /// Does relinking cure it, in whatever way?
    cured: bool,
}

const DEFECTS: &[Defect] = &[
    Defect {
        name: "interpreters",
        what: "the first requests create several interpreters under one name",
        generations: &[],
        threaded: true,
        cured: true,
    },
    Defect {
        name: "half-loaded",
        what: "requests meet modules that are not completely loaded, and load them many times",
        generations: &[],
        threaded: true,
        cured: true,
    },
    Defect {
        name: "same-name",
        what: "handlers of one name in two directories answer for each other",
        generations: &[],
        threaded: false,
        cured: true,
    },
    Defect {
        name: "restart",
        what: "a restart, graceful or not, kills or hangs the server",
        generations: &[],
        threaded: false,
        cured: true,
    },
    Defect {
        name: "gilstate",
        what: "extension modules that use PyGILState_* do not work in main_interpreter",
        generations: &[],
        threaded: false,
        cured: true,
    },
    Defect {
        name: "thread-local",
        what: "threading.local and context variables of one request are seen by the next",
        generations: &[Generation::V35],
        threaded: false,
        cured: true,
    },
    Defect {
        name: "reload",
        what: "a changed module is not loaded again",
        generations: &[Generation::V35],
        threaded: false,
        cured: true,
    },
    Defect {
        name: "MODPYTHON-75",
        what: "sections with directives crash the child",
        generations: &[Generation::V31],
        threaded: true,
        cured: true,
    },
    Defect {
        name: "MODPYTHON-109",
        what: "a child hangs when it is stopped",
        generations: &[Generation::V31, Generation::V32],
        threaded: false,
        cured: true,
    },
    Defect {
        name: "add_handler",
        what: "req.add_handler for a phase that no directive names crashes",
        generations: &[Generation::V31, Generation::V32],
        threaded: false,
        cured: true,
    },
    Defect {
        name: "handler-lists",
        what: "each phase of a request with handlers leaks a list",
        generations: &[Generation::V31, Generation::V32],
        threaded: false,
        cured: true,
    },
    Defect {
        name: "fork",
        what: "the child of os.fork() hangs or ends if there are named interpreters (use subprocess)",
        generations: &[],
        threaded: false,
        cured: false,
    },
];

/// The defects of a module of this generation, relinked or not, under an MPM with or without threads. `None` is
/// unknown, and counts as the worse.
pub fn of(generation: Option<&Named>, threaded: Option<bool>, relinked: bool) -> Vec<&'static Defect> {
    let has = |defect: &&Defect| {
        let by_generation = match generation {
            _ if defect.generations.is_empty() => true,
            Some(Named::Known(generation)) => defect.generations.contains(generation),
            Some(Named::Other(_)) => false,
            None => true,
        };
        by_generation && (!defect.threaded || threaded != Some(false)) && !(relinked && defect.cured)
    };
    DEFECTS.iter().filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(generation: Option<Generation>, threaded: Option<bool>, relinked: bool) -> Vec<&'static str> {
        of(generation.map(Named::from).as_ref(), threaded, relinked).iter().map(|defect| defect.name).collect()
    }

    #[test]
    fn a_cure_takes_its_defects_away() {
        assert_eq!(names(Some(Generation::V31), Some(true), true), ["fork"]);
        assert_eq!(names(Some(Generation::V35), Some(true), true), ["fork"]);
        let stock = names(Some(Generation::V35), Some(true), false);
        assert!(stock.contains(&"interpreters") && stock.contains(&"reload") && !stock.contains(&"MODPYTHON-75"));
        assert!(!names(Some(Generation::V35), Some(false), false).contains(&"interpreters"));
        assert_eq!(names(None, None, false).len(), DEFECTS.len());
        let newer = of(Some(&Named::from("3.9")), None, false);
        assert!(newer.iter().all(|defect| defect.generations.is_empty()));
    }
}
