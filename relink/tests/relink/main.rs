//! `modpython-relink` on Debian's module and on crafted ones: the way there and back, what is refused, what survives.

mod craft;
mod run;
mod source_tree;

mod check;
mod damage;
mod diversion;
mod doctor;
mod dry_run;
mod hostile;
mod in_place;
mod json;
mod manual;
mod mutation;
mod names;
mod patch;
mod refusals;
mod round_trip;
mod security;
mod tree;
