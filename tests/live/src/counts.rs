//! Requests, counted by outcome.

/// The outcomes of the requests of one kind, or to one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As they should be.
    pub right: usize,
    /// The right status, and another text.
    pub wrong: usize,
    /// Another status.
    pub status: usize,
    /// The connection ended before the answer.
    pub broken: usize,
    /// No answer in time.
    pub late: usize,
    /// The client did not wait for one.
    pub left: usize,
}

impl Counts {
    /// Those that were not as they should be.
    pub fn bad(self) -> usize {
        self.wrong + self.status + self.broken + self.late
    }

    /// All of them.
    pub fn requests(self) -> usize {
        self.right + self.bad() + self.left
    }

    /// Counts another's requests in.
    pub fn add(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.status += other.status;
        self.broken += other.broken;
        self.late += other.late;
        self.left += other.left;
    }
}
