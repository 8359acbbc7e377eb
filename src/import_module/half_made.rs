//! Modules that a load has been given half-made, since to wait for them would have closed a cycle of imports.
//!
//! A module that has got one is not complete before that one is. So nobody else is given it before then, although its
//! own code has run to its end; and before the outermost load of a thread ends, it waits for what other threads are
//! at: nobody waits for this thread any more then. No request goes on with a module that is not complete (I2).

use super::locks::{self, Awaited, TABLE};
use super::state::State;
use crate::pathlock::{Begin, Key};
use crate::python::gil::Gil;
use crate::python::object::{Object, Owned, none};
use crate::python::values::{boolean, file_name};
use std::cell::{Cell, RefCell};
use std::ffi::CStr;
#[cfg(feature = "python3")]
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};

/// For how long a thread waits at its end for what another one is at.
const SECONDS: i64 = 30;

/// A module that has been given out half-made.
enum Taken {
    /// A file that this thread itself is at.
    Own(Key),
    /// A file that another thread is at.
    Other(Key),
    /// Modules that another thread has loaded, and that are not complete.
    Incomplete(u64),
    /// A module of which Python 3 has a lock of its own: a function that waits for it, and the name to call it with.
    /// References that are owned, but not dropped with a thread that ends in the middle of a load, which need not have
    /// the GIL.
    #[cfg(feature = "python3")]
    Import(ManuallyDrop<Owned>, ManuallyDrop<Owned>),
}

#[derive(Default)]
struct Loads {
    taken: Vec<Taken>,
    /// Files whose modules are kept back from other threads.
    kept_back: Vec<Key>,
}

thread_local! {
    /// Loads of this thread that have begun and not ended.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// The number under which this thread keeps modules back; 0 if it has been given nothing half-made.
    static NUMBER: Cell<u64> = const { Cell::new(0) };
    static LOADS: RefCell<Loads> = const { RefCell::new(Loads { taken: Vec::new(), kept_back: Vec::new() }) };
}

/// The number under which this thread keeps modules back; 0 for none.
pub(super) fn number() -> u64 {
    NUMBER.get()
}

/// The lock of the modules that are kept back under a number. No file has a name with a NUL in it.
fn key_of(state: &State, number: u64) -> Key {
    Key::new(state.interpreter, format!("half made\0{number}").as_bytes())
}

/// The load of one file, from the taking of its lock to the end.
pub(super) struct Load {
    /// How many modules had been given out half-made before it.
    before: usize,
    /// Another load of this thread is at the file, and goes on.
    is_inside: Cell<bool>,
}

impl Load {
    pub(super) fn begin() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        let before = if NUMBER.get() == 0 { 0 } else { LOADS.with_borrow(|loads| loads.taken.len()) };
        Self { before, is_inside: Cell::new(false) }
    }

    /// This thread is at that file already.
    pub(super) fn is_inside(&self, state: &State, key: &Key) {
        self.is_inside.set(true);
        note(state, Taken::Own(key.clone()));
    }

    /// This thread goes on without the lock of that file, whose maker waits for it.
    pub(super) fn goes_on_without(&self, state: &State, key: &Key) {
        note(state, Taken::Other(key.clone()));
    }

    /// The load of that file has ended, well or not. After the outermost one this thread waits for what it has been
    /// given half-made; false if an exception has come to it meanwhile. A load that has failed gives nobody anything.
    /// This thread holds no lock of a file but those of loads around this one.
    pub(super) fn end(self, gil: &mut Gil, state: &State, file: &CStr, is_well: bool) -> bool {
        if is_well {
            if let Some(number) = kept_back_by_another(state, file) {
                note(state, Taken::Incomplete(number));
            }
        }
        if NUMBER.get() == 0 || self.is_inside.get() {
            return true;
        }
        let own = Key::new(state.interpreter, file.to_bytes());
        let is_all_complete = LOADS.with_borrow_mut(|loads| {
            loads.taken.retain(|taken| !matches!(taken, Taken::Own(key) if *key == own));
            if loads.taken.len() > self.before && is_well {
                keep_back(state, file, NUMBER.get());
                loads.kept_back.push(own);
            }
            loads.taken.is_empty()
        });
        if !is_all_complete && DEPTH.get() > 1 {
            return true;
        }
        let taken = LOADS.with_borrow_mut(|loads| std::mem::take(&mut loads.taken));
        let mut waits = is_well;
        let mut is_interrupted = false;
        for taken in taken {
            if !wait_for(gil, state, taken, waits) {
                (waits, is_interrupted) = (false, true);
            }
        }
        give_out(state);
        !is_interrupted
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

fn note(state: &State, taken: Taken) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    if NUMBER.get() == 0 {
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        // Nobody has had a lock of that number.
        if let Begin::Acquired(_) = TABLE.try_begin(&key_of(state, number), locks::me()) {
            NUMBER.set(number);
        }
    }
    LOADS.with_borrow_mut(|loads| loads.taken.push(taken));
}

/// Marks the module of a file, or takes the mark away: 0.
fn keep_back(state: &State, file: &CStr, number: u64) {
    if let Ok(modules) = state.modules.try_borrow() {
        if let Some(entry) = modules.of(file) {
            entry.keep_back(number);
        }
    }
}

fn kept_back_by_another(state: &State, file: &CStr) -> Option<u64> {
    let modules = state.modules.try_borrow().ok()?;
    modules.of(file)?.kept_back_by_another(NUMBER.get())
}

/// All that this thread has kept back is complete.
fn give_out(state: &State) {
    let kept_back = LOADS.with_borrow_mut(|loads| std::mem::take(&mut loads.kept_back));
    for key in kept_back {
        if let Ok(file) = std::ffi::CString::new(&*key.file) {
            keep_back(state, &file, 0);
        }
    }
    locks::end(&key_of(state, NUMBER.replace(0)));
}

/// Waits if that is wanted; false if an exception is set, which has come to this thread meanwhile. References are given
/// up.
fn wait_for(gil: &mut Gil, state: &State, taken: Taken, is_wanted: bool) -> bool {
    match taken {
        #[cfg(feature = "python3")]
        Taken::Import(wait, name) => {
            let (wait, name) = (ManuallyDrop::into_inner(wait), ManuallyDrop::into_inner(name));
            !is_wanted || crate::python::calls::call(gil, &wait, [name.object()]).is_some()
        }
        Taken::Other(key) if is_wanted => {
            pass(gil, state, &key) && {
                let file = std::ffi::CString::new(&*key.file).ok();
                let number = file.and_then(|file| kept_back_by_another(state, &file));
                number.is_none_or(|number| pass(gil, state, &key_of(state, number)))
            }
        }
        Taken::Incomplete(number) if is_wanted => pass(gil, state, &key_of(state, number)),
        _ => true,
    }
}

/// Waits until nobody holds that lock, or for a time: the thread that holds it may need what the request of this one
/// holds. Not where it would close a cycle: a thread that waits so has run all its code.
fn pass(gil: &mut Gil, state: &State, key: &Key) -> bool {
    locks::await_end(gil, state, key, SECONDS) != Awaited::Interrupted
}

/// `half_made(wait, name)`: an import statement of this thread has been given the module of that name half-made, and
/// `wait(name)` waits until it is done. Nothing if no load is under way in this thread.
#[cfg(feature = "python3")]
pub(super) fn half_made(gil: &mut Gil, state: &State, given: &[Object<'_>]) -> Option<Owned> {
    if let ([wait, name], true) = (given, DEPTH.get() > 0) {
        let [wait, name] = [wait, name].map(|object| ManuallyDrop::new(object.clone_ref(gil)));
        note(state, Taken::Import(wait, name));
    }
    Some(none(gil))
}

/// `is_inside(file)`: this thread has been given the module of the file (bytes) half-made, since it runs its code.
#[cfg(not(feature = "python3"))]
pub(super) fn is_inside(gil: &mut Gil, state: &State, file: Object<'_>) -> Option<Owned> {
    let file = file_name(gil, file)?;
    if DEPTH.get() > 0 {
        note(state, Taken::Own(Key::new(state.interpreter, file.to_bytes())));
    }
    Some(none(gil))
}

/// `is_complete(file)`: whether the module that the file (bytes) gave is kept back from no other thread.
pub(super) fn is_complete(gil: &mut Gil, state: &State, file: Object<'_>) -> Option<Owned> {
    let file = file_name(gil, file)?;
    boolean(gil, kept_back_by_another(state, &file).is_none())
}
