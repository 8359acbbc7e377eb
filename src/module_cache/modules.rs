//! The table of the modules of one interpreter: file to module, version and state, and the verdict on an entry.
//!
//! ```text
//!            start                 publish
//! (absent) ────────► running ─────────────────► ready ──┐ refuse: a version that cannot be read
//!     ▲                │  ▲                       │  ◄──┘
//!     └──── fail ──────┘  └──────── start ────────┘
//!       (back to ready, if it was)
//! ```

use super::content::Content;
use super::filesystem::FileSystemKind;
use super::version::Version;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};

/// The place of an entry in its table. It stays the same as long as the table lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId(usize);

impl EntryId {
    /// The number behind the id, for a caller that keeps it in a Python integer.
    pub fn number(self) -> usize {
        self.0
    }

    /// The id behind a number from [`EntryId::number`].
    pub fn from_number(number: usize) -> Self {
        Self(number)
    }
}

/// The facts known of one file. `H` is a handle on its module.
pub struct Entry<H> {
    file: CString,
    /// The module that the file gave when it ran last; None before the first run has ended well.
    ready: Option<H>,
    /// The module in which the code of the file runs just now.
    running: Option<H>,
    /// None if it is never loaded again: an extension module, a module without a file to watch.
    version: Option<Version>,
    /// The content of that version; None if it could not be read then.
    content: Option<Content>,
    /// A later version that could not be read: `ready` goes on being served as long as the file is that version.
    refused: Option<Version>,
    file_system: FileSystemKind,
    /// The tick of the clock in which the file was found to be fresh.
    looked: Cell<u64>,
    /// The thread whose first request of the module runs alone; 0 for none.
    alone: Cell<u64>,
    /// The number under which a thread keeps the module back until it is complete; 0 for none.
    kept_back: Cell<u64>,
    /// Whether the module was not there when all were last looked for.
    was_missing: bool,
}

/// A look at all modules costs a fraction of what these loads cost, while there are no more than thousands of files.
const LOADS_BETWEEN_SWEEPS: usize = 32;

/// The next step for a file that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The module at hand is the one to hand out.
    Hit,
    /// There is none, or it has been taken out of `sys.modules`: load it.
    Load,
    /// The file is another version than the module: load it into the same module object.
    Reload,
    /// Only its inode has changed: the module at hand is the one if the file still has the content that was run, and
    /// else the file is loaded again. The caller that has compared says so by [`Modules::same`].
    Compare,
    /// Its code is being run just now: a thread that is not running it waits.
    Wait,
}

impl<H> Entry<H> {
    /// The module that the file gave.
    pub fn ready(&self) -> Option<&H> {
        self.ready.as_ref()
    }

    /// The module in which the code of the file runs just now.
    pub fn running(&self) -> Option<&H> {
        self.running.as_ref()
    }

    /// The file, as the system names it.
    pub fn file(&self) -> &CStr {
        &self.file
    }

    /// Whether looking at the file may take long.
    pub fn file_system(&self) -> FileSystemKind {
        self.file_system
    }

    /// Whether the verdict depends on what `stat(2)` says of the file now.
    #[inline]
    pub fn is_watched(&self, autoreload: bool) -> bool {
        autoreload && self.version.is_some() && self.running.is_none()
    }

    /// Whether the file was found to be fresh in this very tick of the clock; a tick of 0 never was.
    #[inline]
    pub fn was_fresh_in(&self, tick: u64) -> bool {
        tick != 0 && self.looked.get() == tick
    }

    /// Notes that the file was found to be fresh in that tick.
    #[inline]
    pub fn fresh_in(&self, tick: u64) {
        self.looked.set(tick);
    }

    /// The version and content that were run, for a comparison with the file now; None if they are not known.
    pub fn ran(&self) -> Option<(Version, Content)> {
        self.version.zip(self.content)
    }

    /// The module's first request runs alone, in that thread; 0 ends that.
    pub fn run_alone_by(&self, thread: u64) {
        self.alone.set(thread);
    }

    /// Whether the first request of the module runs alone, in another thread than that.
    #[inline]
    pub fn is_for_another(&self, thread: u64) -> bool {
        self.alone.get() != 0 && self.alone.get() != thread
    }

    /// Whether not every thread may have the module.
    #[inline]
    pub fn is_for_one(&self) -> bool {
        self.alone.get() | self.kept_back.get() != 0
    }

    /// The module is kept back under that number until it is complete; 0 ends that.
    pub fn keep_back(&self, number: u64) {
        self.kept_back.set(number);
    }

    /// The number under which a thread keeps the module back, if it is not that one.
    pub fn kept_back_by_another(&self, number: u64) -> Option<u64> {
        Some(self.kept_back.get()).filter(|by| *by != 0 && *by != number)
    }

    /// The verdict, given whether `sys.modules` still has the module, and what `stat(2)` says of the file now. None
    /// for `now` means that the file is not looked at ([`Entry::is_watched`]) or cannot be seen: a module whose file
    /// is gone goes on being served, as mod_python has always done.
    #[inline]
    pub fn verdict(&self, in_sys_modules: bool, now: Option<Version>) -> Verdict {
        if self.running.is_some() {
            return Verdict::Wait;
        }
        if self.ready.is_none() || !in_sys_modules {
            return Verdict::Load;
        }
        match now {
            Some(now) if self.version.is_some_and(|ran| ran != now) => self.on_another(now),
            _ => Verdict::Hit,
        }
    }

    /// The verdict on a file that is another version than what was run.
    #[cold]
    fn on_another(&self, now: Version) -> Verdict {
        match self.ran() {
            _ if self.refused == Some(now) => Verdict::Hit,
            Some((ran, _)) if ran.but_for_change(&now) => Verdict::Compare,
            _ => Verdict::Reload,
        }
    }
}

/// The modules of one interpreter, by file, and the names that are taken while a load is under way.
pub struct Modules<H> {
    entries: Vec<Entry<H>>,
    by_file: HashMap<CString, EntryId>,
    /// Name in `sys.modules` to the file whose load has begun under it. Two files of one name may begin at the same
    /// moment, and do not wait for each other. Once the module is there, `sys.modules` says who has the name.
    claims: HashMap<Vec<u8>, CString>,
    /// How many loads have ended well.
    loads: usize,
}

impl<H> Modules<H> {
    /// An empty table.
    pub fn new() -> Self {
        Self { entries: Vec::new(), by_file: HashMap::new(), claims: HashMap::new(), loads: 0 }
    }

    /// The entry with this id.
    #[inline]
    pub fn get(&self, id: EntryId) -> Option<&Entry<H>> {
        self.entries.get(id.0)
    }

    /// The id of the entry for `file`.
    pub fn find(&self, file: &CStr) -> Option<EntryId> {
        self.by_file.get(file).copied()
    }

    /// The entry for `file`.
    pub fn of(&self, file: &CStr) -> Option<&Entry<H>> {
        self.get(self.find(file)?)
    }

    fn entry(&mut self, file: &CStr) -> (EntryId, &mut Entry<H>) {
        let id = self.find(file).unwrap_or_else(|| {
            let id = EntryId(self.entries.len());
            let (ready, running, version, content, refused) = (None, None, None, None, None);
            let (file, file_system) = (file.to_owned(), FileSystemKind::Remote);
            let (looked, alone, kept_back) = (Cell::new(0), Cell::new(0), Cell::new(0));
            self.by_file.insert(file.clone(), id);
            self.entries.push(Entry {
                file,
                ready,
                running,
                version,
                content,
                refused,
                file_system,
                looked,
                alone,
                kept_back,
                was_missing: false,
            });
            id
        });
        (id, &mut self.entries[id.0])
    }

    /// The code of `file` starts to run in the module behind `handle`. The handle that a thread of before a fork has
    /// left comes back.
    pub fn start(&mut self, file: &CStr, handle: H) -> Option<H> {
        self.entry(file).1.running.replace(handle)
    }

    /// The module that `file` gave, if it is no longer there: what runs next has no use for it.
    pub fn take_gone(&mut self, file: &CStr, is_there: impl Fn(&H) -> bool) -> Option<H> {
        let id = self.find(file)?;
        self.entries[id.0].ready.take_if(|known| !is_there(known))
    }

    /// The same of all files, once in so many loads: a site that makes modules of ever new names does not keep them.
    /// One that has been taken out for a moment, and comes back, is missed twice before it goes.
    pub fn take_all_gone(&mut self, is_there: impl Fn(&H) -> bool) -> Vec<H> {
        self.loads += 1;
        if self.loads % LOADS_BETWEEN_SWEEPS != 0 {
            return Vec::new();
        }
        let mut gone = Vec::new();
        for entry in &mut self.entries {
            let is_missing = entry.running.is_none() && entry.ready.as_ref().is_some_and(|known| !is_there(known));
            if is_missing && entry.was_missing {
                gone.extend(entry.ready.take());
            }
            entry.was_missing = is_missing;
        }
        gone
    }

    /// The code of `file`, in `version` with that `content`, has given the module behind `handle`. The handles that
    /// were there before come back: to drop one may mean to call Python, which is the caller's to do.
    pub fn publish(
        &mut self,
        file: &CStr,
        handle: H,
        version: Option<Version>,
        content: Option<Content>,
        file_system: FileSystemKind,
    ) -> (EntryId, [Option<H>; 2]) {
        let (id, entry) = self.entry(file);
        let before = [entry.ready.replace(handle), entry.running.take()];
        (entry.version, entry.content, entry.refused, entry.file_system) = (version, content, None, file_system);
        entry.looked.set(0);
        (id, before)
    }

    /// The code of `file` has failed. A module that it gave before stays, with its version.
    pub fn fail(&mut self, file: &CStr) -> Option<H> {
        self.entry(file).1.running.take()
    }

    /// The file is `version` now and cannot be read. True if that is news.
    pub fn refuse(&mut self, id: EntryId, version: Option<Version>) -> bool {
        self.entries.get_mut(id.0).is_some_and(|entry| std::mem::replace(&mut entry.refused, version) != version)
    }

    /// The caller has compared, without the GIL: the file in the version `now` has the content that was run too. The
    /// version is noted, unless another load has come meanwhile.
    pub fn same(&mut self, id: EntryId, ran: (Version, Content), now: Version) {
        if let Some(entry) = self.entries.get_mut(id.0).filter(|entry| entry.ran() == Some(ran)) {
            (entry.version, entry.refused) = (Some(now), None);
        }
    }

    /// Takes a name for the load of `file`, unless another file's has it.
    pub fn claim(&mut self, name: &[u8], file: &CStr) -> bool {
        let owner = self.claims.entry(name.to_owned()).or_insert_with(|| file.to_owned());
        owner.as_c_str() == file
    }

    /// The load of `file` is over: its names are `sys.modules`' to give.
    pub fn give_back(&mut self, file: &CStr) {
        self.claims.retain(|_, owner| owner.as_c_str() != file);
    }

    /// In the child of a fork: the loads of other threads have not come along, and nobody would give their names back.
    pub fn forget_claims(&mut self) {
        self.claims.clear();
    }

    /// How many loads have ended well.
    pub fn loads(&self) -> usize {
        self.loads
    }

    /// Whether a file has given such a module, which everybody may have.
    pub fn has_given(&self, is_it: impl Fn(&H) -> bool) -> bool {
        let mut whole = self.entries.iter().filter(|entry| entry.running.is_none() && !entry.is_for_one());
        whole.any(|entry| entry.ready.as_ref().is_some_and(&is_it))
    }

    /// The handles, for a garbage collector to visit.
    pub fn handles(&self) -> impl Iterator<Item = &H> {
        self.entries.iter().flat_map(|entry| entry.ready.iter().chain(&entry.running))
    }

    /// Empties the table. The handles come back, as from [`Modules::publish`].
    pub fn take_all(&mut self) -> Vec<H> {
        self.by_file.clear();
        self.claims.clear();
        let entries = std::mem::take(&mut self.entries);
        entries.into_iter().flat_map(|entry| entry.ready.into_iter().chain(entry.running)).collect()
    }

    /// The number of files with an entry.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no file has an entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<H> Default for Modules<H> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
#[path = "modules_tests.rs"]
mod tests;
