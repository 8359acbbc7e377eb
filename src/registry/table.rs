//! The table behind the hit path: names to what was published under them, read without a lock.
//!
//! Entries are only ever added, each at the end of its bucket's chain, by a writer that holds the registry's mutex.
//! A reader follows the chain with one load per step, so that it neither waits nor writes a shared cache line.

use crate::sync::{
    PublishOnce,
    atomic::{AtomicU32, Ordering},
};
use std::hash::Hasher;

/// Chains of the table. A server has a handful of interpreters; with PythonInterpPerDirectory some hundreds.
const BUCKETS: usize = if cfg!(loom) { 2 } else { 256 };

/// The entry of a name: an interpreter and its callback object.
pub struct Entry<I, C> {
    name: Box<[u8]>,
    hash: u64,
    epoch: u32,
    lasting: bool,
    interpreter: I,
    callback: C,
    next: Link<I, C>,
}

/// The place of the entry that comes next in a chain.
type Link<I, C> = PublishOnce<Box<Entry<I, C>>>;

impl<I, C> Entry<I, C> {
    /// The name under which the interpreter is asked for.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The interpreter.
    pub fn interpreter(&self) -> &I {
        &self.interpreter
    }

    /// The callback object, ready to be called (R2).
    pub fn callback(&self) -> &C {
        &self.callback
    }
}

/// The chains of entries (see the head of this file).
pub struct Table<I, C> {
    buckets: Box<[Link<I, C>]>,
    /// Counts the forks this process descends from. Python deletes every interpreter but the main one in the child of
    /// a fork, and an entry of an earlier epoch would lead to freed memory; comparing a number per look-up lets
    /// the child forget them without taking anything away under a reader.
    epoch: AtomicU32,
}

impl<I, C> Table<I, C> {
    pub(super) fn new() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Link::new()).collect(), epoch: AtomicU32::new(0) }
    }

    fn hash(name: &[u8]) -> u64 {
        let mut hasher = rustc_hash::FxHasher::default();
        hasher.write(name);
        hasher.finish()
    }

    fn bucket(&self, hash: u64) -> &Link<I, C> {
        &self.buckets[hash as usize % BUCKETS]
    }

    /// The entry published under `name`.
    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<&Entry<I, C>> {
        let hash = Self::hash(name);
        // Relaxed: the number changes only in the child of a fork, while that has one thread.
        let epoch = self.epoch.load(Ordering::Relaxed);
        let mut link = self.bucket(hash);
        while let Some(entry) = link.get() {
            let current = entry.epoch == epoch || entry.lasting;
            if entry.hash == hash && current && *entry.name == *name {
                return Some(entry);
            }
            link = &entry.next;
        }
        None
    }

    /// Publishes an entry. `lasting` ones are kept by the child of a fork.
    pub(super) fn insert(&self, name: Box<[u8]>, interpreter: I, callback: C, lasting: bool) -> &Entry<I, C> {
        let hash = Self::hash(&name);
        let epoch = self.epoch.load(Ordering::Relaxed);
        let next = Link::new();
        let mut new = Box::new(Entry { name, hash, epoch, lasting, interpreter, callback, next });
        let mut link = self.bucket(hash);
        loop {
            while let Some(entry) = link.get() {
                link = &entry.next;
            }
            // Writers hold the registry's mutex, so the end of the chain stays ours; walking on if it did not keeps
            // the table right by itself.
            match link.publish(new) {
                Ok(entry) => return entry,
                Err(back) => new = back,
            }
        }
    }

    /// The published entries that this process may use.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<I, C>> {
        let epoch = self.epoch.load(Ordering::Relaxed);
        self.buckets
            .iter()
            .flat_map(|link| std::iter::successors(link.get(), |entry| entry.next.get()))
            .map(|entry| &**entry)
            .filter(move |entry| entry.epoch == epoch || entry.lasting)
    }

    /// Forgets, in the child of a fork, every entry that is not lasting.
    pub(super) fn forget_all_but_lasting(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }
}
