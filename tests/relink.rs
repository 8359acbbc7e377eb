//! `modpython-relink` on Debian's module and on crafted ones: the way there and back, what is refused, what survives.

#[path = "relink/craft.rs"]
mod craft;
#[path = "relink/run.rs"]
mod run;

#[path = "relink/check.rs"]
mod check;
#[path = "relink/damage.rs"]
mod damage;
#[path = "relink/in_place.rs"]
mod in_place;
#[path = "relink/manual.rs"]
mod manual;
#[path = "relink/patch.rs"]
mod patch;
#[path = "relink/refusals.rs"]
mod refusals;
#[path = "relink/round_trip.rs"]
mod round_trip;
#[path = "relink/tree.rs"]
mod tree;
