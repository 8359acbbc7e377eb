//! The cache itself: file to module, and the verdict on an entry.

use super::filesystem::Place;
use super::version::Version;
use std::collections::HashMap;
use std::ffi::{CStr, CString};

/// The place of an entry in its cache. It stays the same as long as the cache lives.
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

/// What is known of one file. `H` is a handle on its module.
pub struct Entry<H> {
    handle: H,
    file: CString,
    /// None for what is never loaded again: an extension module, a module without a file to watch.
    version: Option<Version>,
    place: Place,
    loading: bool,
}

/// What to do about a file that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The module at hand is the one to hand out.
    Hit,
    /// There is none, or it has been taken out of `sys.modules`: load it.
    Load,
    /// The file is another version than the module: load it into the same module object.
    Reload,
    /// Its code is being run just now: whoever is not running it waits.
    Wait,
}

impl<H> Entry<H> {
    /// The handle on its module.
    pub fn handle(&self) -> &H {
        &self.handle
    }

    /// The file, as the system names it.
    pub fn file(&self) -> &CStr {
        &self.file
    }

    /// Whether looking at the file may take long.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the verdict depends on what `stat(2)` says of the file now.
    #[inline]
    pub fn is_watched(&self, autoreload: bool) -> bool {
        autoreload && self.version.is_some() && !self.loading
    }

    /// The verdict, given whether `sys.modules` still has the module, and what `stat(2)` says of the file now. None
    /// for `now` means that the file is not looked at ([`Entry::is_watched`]) or cannot be seen: a module whose file
    /// is gone goes on being served, as mod_python has always done.
    #[inline]
    pub fn verdict(&self, in_sys_modules: bool, now: Option<Version>) -> Verdict {
        match (self.loading, in_sys_modules, now) {
            (true, _, _) => Verdict::Wait,
            (false, false, _) => Verdict::Load,
            (false, true, Some(now)) if self.version.is_some_and(|loaded| loaded != now) => Verdict::Reload,
            (false, true, _) => Verdict::Hit,
        }
    }
}

/// The modules of one interpreter, by file.
pub struct Cache<H> {
    entries: Vec<Entry<H>>,
    by_file: HashMap<CString, EntryId>,
}

impl<H> Cache<H> {
    /// An empty cache.
    pub fn new() -> Self {
        Self { entries: Vec::new(), by_file: HashMap::new() }
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

    /// Notes that `file`, in `version`, has given the module behind `handle`. The handle that was there before comes
    /// back: dropping it may mean to call Python, which is the caller's to do.
    pub fn publish(&mut self, file: &CStr, handle: H, version: Option<Version>, place: Place) -> (EntryId, Option<H>) {
        let entry = Entry { handle, file: file.to_owned(), version, place, loading: false };
        match self.find(file) {
            Some(id) => {
                let before = std::mem::replace(&mut self.entries[id.0], entry);
                (id, Some(before.handle))
            }
            None => {
                let id = EntryId(self.entries.len());
                self.entries.push(entry);
                self.by_file.insert(file.to_owned(), id);
                (id, None)
            }
        }
    }

    /// Notes that the code of `file` starts to run again, or has failed and stopped (a success is published). Without
    /// an entry there is nobody to keep away, and nothing to note.
    pub fn set_loading(&mut self, file: &CStr, loading: bool) {
        if let Some(id) = self.find(file) {
            self.entries[id.0].loading = loading;
        }
    }

    /// The handles, for a garbage collector to visit.
    pub fn handles(&self) -> impl Iterator<Item = &H> {
        self.entries.iter().map(Entry::handle)
    }

    /// Empties the cache. The handles come back, as from [`Cache::publish`].
    pub fn take_all(&mut self) -> Vec<H> {
        self.by_file.clear();
        std::mem::take(&mut self.entries).into_iter().map(|entry| entry.handle).collect()
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

impl<H> Default for Cache<H> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, EntryId, Place, Verdict, Version};

    const FIRST: Version = Version { seconds: 1, nanoseconds: 0, size: 10, inode: 3, device: 4 };
    const SECOND: Version = Version { size: 11, ..FIRST };

    fn cache_with(version: Option<Version>) -> (Cache<&'static str>, EntryId) {
        let mut cache = Cache::new();
        let (id, before) = cache.publish(c"/srv/a.py", "a", version, Place::Local);
        assert_eq!(before, None);
        (cache, id)
    }

    #[test]
    fn verdicts_on_a_loaded_file() {
        let (cache, id) = cache_with(Some(FIRST));
        let entry = cache.get(id).expect("published");
        assert_eq!(entry.verdict(true, Some(FIRST)), Verdict::Hit);
        assert_eq!(entry.verdict(true, Some(SECOND)), Verdict::Reload);
        assert_eq!(entry.verdict(true, None), Verdict::Hit);
        assert_eq!(entry.verdict(false, Some(FIRST)), Verdict::Load);
    }

    #[test]
    fn autoreload_off_and_modules_without_version_are_not_watched() {
        let (cache, id) = cache_with(Some(FIRST));
        assert!(cache.get(id).expect("published").is_watched(true));
        assert!(!cache.get(id).expect("published").is_watched(false));
        let (cache, id) = cache_with(None);
        assert!(!cache.get(id).expect("published").is_watched(true));
        assert_eq!(cache.get(id).expect("published").verdict(true, Some(SECOND)), Verdict::Hit);
    }

    #[test]
    fn while_its_code_runs_everybody_waits_and_nobody_stats() {
        let (mut cache, id) = cache_with(Some(FIRST));
        cache.set_loading(c"/srv/a.py", true);
        assert!(!cache.get(id).expect("published").is_watched(true));
        assert_eq!(cache.get(id).expect("published").verdict(true, None), Verdict::Wait);
        cache.set_loading(c"/srv/a.py", false);
        assert_eq!(cache.get(id).expect("published").verdict(true, Some(SECOND)), Verdict::Reload);
    }

    #[test]
    fn publishing_again_keeps_the_id_and_gives_the_old_handle_back() {
        let (mut cache, id) = cache_with(Some(FIRST));
        cache.set_loading(c"/srv/a.py", true);
        let (again, before) = cache.publish(c"/srv/a.py", "new", Some(SECOND), Place::Local);
        assert_eq!((again, before), (id, Some("a")));
        assert_eq!(cache.get(id).expect("published").verdict(true, Some(SECOND)), Verdict::Hit);
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.take_all(), ["new"]);
        assert!(cache.is_empty());
    }

    #[test]
    fn two_paths_are_two_entries() {
        let (mut cache, id) = cache_with(Some(FIRST));
        let (other, _) = cache.publish(c"/srv/link.py", "b", Some(FIRST), Place::Local);
        assert_ne!(other, id);
        assert_eq!(cache.find(c"/srv/link.py"), Some(other));
        assert_eq!(cache.handles().copied().collect::<Vec<_>>(), ["a", "b"]);
    }
}
