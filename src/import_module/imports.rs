//! The functions of Python's own that bring a module for a name, as they were, and calls of them.

#[cfg(not(feature = "python3"))]
use crate::python::ffi;
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned};
use crate::python::{calls, dict, sequence};
use std::ffi::CStr;
#[cfg(not(feature = "python3"))]
use std::ptr::null_mut;

/// The functions behind our imports, once there is a handler's directory.
pub(super) struct Imports {
    /// `builtins.__import__` as it was.
    pub(super) import: Owned,
    /// The function that `importlib.import_module` imports by, as it was.
    pub(super) by_name: Owned,
    /// Says what an import statement means in a module of a handler's directory.
    pub(super) sibling: Owned,
    /// Says what a name means in code that is in no such module.
    pub(super) named: Owned,
    /// Has what fails under a private name say the name that was asked for.
    pub(super) failed: Owned,
}

impl Imports {
    /// All of them, for the garbage collector.
    #[cfg(feature = "python3")]
    pub(super) fn all(&self) -> [&Owned; 5] {
        [&self.import, &self.by_name, &self.sibling, &self.named, &self.failed]
    }
}

/// The arguments of a call: a tuple, and a dict of those that are given by name.
pub(super) struct Call<'a> {
    args: Object<'a>,
    keywords: Option<Object<'a>>,
}

impl<'a> Call<'a> {
    /// # Safety
    /// `args` is a tuple, and `keywords` a dict.
    pub(super) unsafe fn new(args: Object<'a>, keywords: Option<Object<'a>>) -> Self {
        Self { args, keywords }
    }

    /// The arguments that are given by position.
    pub(super) fn items(&self) -> &'a [Object<'a>] {
        sequence::items(self.args)
    }

    /// Those that are given by name, each with its name.
    #[cfg(not(feature = "python3"))]
    pub(super) fn named(&self) -> impl Iterator<Item = (Object<'a>, Object<'a>)> {
        let (keywords, mut position) = (self.keywords, 0);
        std::iter::from_fn(move || {
            let (mut name, mut value) = (null_mut(), null_mut());
            // SAFETY: a live dict and three valid outputs. It keeps what it has during the call: CPython makes one
            // for each call, or, for `**d` alone, hands on that of a caller, who waits for the answer.
            unsafe {
                ffi::PyDict_Next(keywords?.as_ptr(), &raw mut position, &raw mut name, &raw mut value);
                Some((Object::new(name)?, Object::new(value)?))
            }
        })
    }

    /// The argument at that position or of that name.
    pub(super) fn argument(&self, gil: &Gil, at: usize, name: &CStr) -> Option<Owned> {
        match self.items().get(at) {
            Some(argument) => Some(argument.clone_ref(gil)),
            None => dict::get_named(gil, self.keywords?, name),
        }
    }

    /// Calls the function with what has been given, but for the argument at that position and of that name.
    pub(super) fn hand_on(
        &self,
        gil: &Gil,
        function: &Owned,
        at: usize,
        name: &CStr,
        other: Option<&Owned>,
    ) -> Option<Owned> {
        let (mut args, mut keywords) = (self.args, self.keywords);
        let changed;
        if let Some(other) = other {
            let mut given = self.items().to_vec();
            if let Some(argument) = given.get_mut(at) {
                *argument = other.object();
                changed = sequence::tuple(gil, &given)?;
                args = changed.object();
            } else {
                changed = dict::copy(gil, self.keywords?)?;
                if !dict::set_named(gil, &changed, name, other) {
                    return None;
                }
                keywords = Some(changed.object());
            }
        }
        // SAFETY: the tuple and the dict of this call, as [`Call::new`] demands, or a new one in its place.
        unsafe { calls::call_with(gil, function, args, keywords) }
    }
}
