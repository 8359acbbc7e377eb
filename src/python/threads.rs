//! Which thread state a request runs on (R5, R6, R9, R11, R12), and the stack of acquisitions of each thread.
//!
//! - A thread keeps one state per interpreter and nesting, made as new at each release. To make one for each request,
//!   as mod_python does, takes three times as long in 2.7, and from 3.11 on, where a state maps memory at its first
//!   call, some 8 µs. `capi/states.c` makes a state as new.
//! - A nested acquisition (a request in a request: internal_redirect, a filter, a subrequest) runs on a state of its
//!   own.
//! - Up to 3.11 `PyGILState_Ensure` works on one state per thread only, and deadlocks when the thread runs on another
//!   one of the same interpreter. So a request in that interpreter always runs on that state: a nested one, or one in a
//!   thread whose state is not ours, borrows it, and finds it as new; its fields are set aside and put back. A
//!   thread's first state is one of the main interpreter, so that it is there that `PyGILState_*` works.
//! - From 3.12 on `PyGILState_*` follows the state that a thread runs on, and nothing is borrowed.
//!
//! `D` is the data that the host's generation keeps beside each state, at an address that stays the same.

mod requests;
mod selection;

use super::{Cpython, Interpreter, ThreadState, fork, signals};
pub use requests::{Record, Request, Requests, Table};
use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    rc::Rc,
    sync::atomic::{Ordering, compiler_fence},
};

/// Maximum number of idle states kept per thread; beyond it, the least recently used one is destroyed. 64 states of 32
/// threads take some 35 MB.
pub(super) const KEPT_AT_MOST: usize = 64;

/// The owner of a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Made by this room, so that it is also this room that destroys it.
    Ours,
    /// The first of an interpreter that this thread has created. Never destroyed, not even when its thread ends: in
    /// 3.11 it is part of the interpreter, and once an interpreter has lost its last state the next one made for it
    /// finds this one used ("init_threadstate: thread state already initialized", fatal).
    First,
    /// The one that `PyGILState_Ensure` would use. Looked up at each acquisition, since it may be gone after it.
    Borrowed,
}

/// A thread's state of an interpreter. Idle while the list of kept ones has the only reference.
pub struct OwnState<D> {
    interpreter: Interpreter,
    state: Cell<ThreadState>,
    origin: Origin,
    /// Whether it is one of the main interpreter.
    is_main: bool,
    last_use: Cell<u64>,
    /// How the thread held the GIL before the acquisition that is on it.
    outer: Cell<Suspended>,
    /// The run of that acquisition.
    runs: requests::Runs,
    /// The data of the host's generation.
    pub data: D,
}

impl<D> OwnState<D> {
    /// The interpreter.
    pub fn interpreter(&self) -> Interpreter {
        self.interpreter
    }

    /// The state.
    pub fn state(&self) -> ThreadState {
        self.state.get()
    }
}

/// How a thread held the GIL before it asked for an interpreter.
#[must_use = "a state has to be attached again when the nested acquisition ends"]
pub enum Suspended {
    /// It did not hold the GIL.
    Nothing,
    /// It held the GIL with this state, and has given it up.
    State(ThreadState),
    /// It is inside a signal handler that has interrupted it while it held the GIL or was about to take it. Nothing can
    /// be acquired: the interrupted code cannot go on before the handler has returned.
    Interrupted,
}

struct Inner<P: Cpython, D> {
    kept: Vec<Rc<OwnState<D>>>,
    /// The acquisitions that have not been released, the innermost last.
    held: Vec<Rc<OwnState<D>>>,
    /// The fields set aside of borrowed states, a set for each acquisition on one. Their address stays the same: the
    /// state may point into them.
    aside: Vec<Box<P::Aside>>,
    /// States to destroy once the GIL is held.
    surplus: Vec<Rc<OwnState<D>>>,
    uses: u64,
}

/// The states of one thread. Not shared: every method is called by that thread. No borrow of the lists is held across
/// a call into CPython that can run Python code, since that code may acquire an interpreter in this thread. A signal
/// handler may interrupt any of them: [`leave`](Self::leave) then says so, before anything is borrowed.
pub struct ThreadStates<P: Cpython, D> {
    inner: RefCell<Inner<P, D>>,
    /// A signal handler must not come in here now.
    closed: Cell<bool>,
    /// How many forks the lists are right for.
    forks: Cell<u32>,
    signals: signals::Usual,
    thread: Cell<libc::pthread_t>,
    requests: &'static Requests<P::Luggage>,
    /// The request that acquisitions are made for now; nothing will be dispatched in them.
    expected: Cell<Option<Request>>,
    python: PhantomData<P>,
}

impl<P: Cpython, D> ThreadStates<P, D> {
    /// A thread that has no state yet.
    pub const fn new(requests: &'static Requests<P::Luggage>) -> Self {
        Self {
            inner: RefCell::new(Inner {
                kept: Vec::new(),
                held: Vec::new(),
                aside: Vec::new(),
                surplus: Vec::new(),
                uses: 0,
            }),
            forks: Cell::new(0),
            closed: Cell::new(false),
            signals: signals::Usual::unknown(),
            thread: Cell::new(0),
            requests,
            expected: Cell::new(None),
            python: PhantomData,
        }
    }

    /// Does `work` with signal handlers kept out.
    pub fn closed<R>(&self, work: impl FnOnce() -> R) -> R {
        let before = self.closed.replace(true);
        // For the compiler nobody looks in between, and it would leave the mark out.
        compiler_fence(Ordering::SeqCst);
        let result = work();
        compiler_fence(Ordering::SeqCst);
        self.closed.set(before);
        result
    }

    /// Reads the lists; nothing in a signal handler that has interrupted a change of them.
    fn look<R>(&self, read: impl FnOnce(&Inner<P, D>) -> R) -> Option<R> {
        self.closed(|| self.inner.try_borrow().ok().map(|inner| read(&inner)))
    }

    fn lists<R>(&self, work: impl FnOnce(&mut Inner<P, D>) -> R) -> R {
        self.closed(|| work(&mut self.inner.borrow_mut()))
    }

    /// Gives the GIL up if this thread holds it, so that it may wait: a handler that calls Apache without releasing
    /// the GIL (`req.discard_request_body` with an input filter, say) would otherwise wait for itself.
    #[inline]
    pub fn leave(&self) -> Suspended {
        if self.closed.get() {
            return Suspended::Interrupted;
        }
        let Some(attached) = P::attached() else {
            self.signals.note();
            return Suspended::Nothing;
        };
        if !P::ATTACHED_IS_OF_THREAD && !self.runs_on(attached) && P::gil_state() != Some(attached) {
            return Suspended::Nothing;
        }
        if self.signals.are_unusual() {
            return Suspended::Interrupted;
        }
        // SAFETY: a state of this thread is current, so this thread holds the GIL with it.
        Suspended::State(self.closed(|| unsafe { P::detach() }))
    }

    /// Takes back what [`leave`](Self::leave) gave up.
    pub fn reenter(&self, outer: Suspended) {
        if let Suspended::State(state) = outer {
            // SAFETY: it was this thread's current state at `leave`, and nothing has destroyed it: code that runs
            // nested cannot release an acquisition below its own.
            self.closed(|| unsafe { P::attach(state) });
        }
    }

    /// Enters a selected state: takes the GIL with it, the one time of an acquisition (R5).
    ///
    /// # Safety
    ///
    /// This thread must not hold the GIL. While Python shuts down the call may not return.
    #[inline]
    pub unsafe fn enter(&self, kept: Rc<OwnState<D>>, outer: Suspended) {
        let state = kept.state.get();
        let (borrowed, expected, has_surplus) = self.closed(|| {
            // SAFETY: the state is this thread's own and alive while it is kept, or the thread's PyGILState; the caller
            // says that the GIL is free to be taken.
            unsafe { P::attach(state) };
            let borrowed = kept.origin == Origin::Borrowed;
            // SAFETY: the GIL is held with it.
            let aside = borrowed.then(|| unsafe { P::set_aside(state) });
            kept.outer.set(outer);
            let expected = self.expected.get();
            kept.runs.begin(expected.is_some());
            let mut inner = self.inner.borrow_mut();
            if let Some(aside) = aside {
                inner.aside.push(aside);
            }
            inner.held.push(kept);
            (borrowed, expected, !inner.surplus.is_empty())
        });
        if !borrowed {
            // SAFETY: the GIL is held with it.
            unsafe { P::put_to_use(state, self.this_thread()) };
        }
        if let Some(request) = expected {
            // SAFETY: the GIL is held with it, and nothing has run on it yet.
            unsafe { self.resume(request) };
        }
        if has_surplus {
            self.destroy_surplus();
        }
    }

    /// This thread, as Python knows it.
    fn this_thread(&self) -> libc::pthread_t {
        let mut thread = self.thread.get();
        if thread == 0 {
            // SAFETY: tells the calling thread.
            thread = unsafe { libc::pthread_self() };
            self.thread.set(thread);
        }
        thread
    }

    /// Enters a state that is current already, in a thread that holds the GIL with it.
    pub fn enter_attached(&self, kept: Rc<OwnState<D>>, outer: Suspended) {
        let state = kept.state.get();
        kept.runs.begin(false);
        kept.outer.set(outer);
        self.lists(|inner| inner.held.push(kept));
        // SAFETY: it is current, and nothing has run on it since it was made.
        unsafe { P::put_to_use(state, self.this_thread()) };
        self.destroy_surplus();
    }

    /// Deletes what was given up, with the GIL held.
    #[cold]
    fn destroy_surplus(&self) {
        loop {
            let Some(kept) = self.lists(|inner| inner.surplus.pop()) else { return };
            // SAFETY: this thread made it, it was cleared at its last release, and it has left the list of kept ones.
            unsafe { P::delete(kept.state.get()) };
        }
    }

    /// The innermost acquisition of this thread.
    pub fn innermost(&self) -> Option<Rc<OwnState<D>>> {
        self.look(|inner| inner.held.last().map(Rc::clone)).flatten()
    }

    /// The result of `read` on it. `read` runs no Python code.
    #[inline]
    pub fn on_innermost<R>(&self, read: impl FnOnce(&OwnState<D>) -> R) -> Option<R> {
        self.look(|inner| inner.held.last().map(|kept| read(kept))).flatten()
    }

    /// Whether the innermost acquisition runs on this state.
    #[inline]
    pub fn runs_on(&self, state: ThreadState) -> bool {
        self.on_innermost(|kept| kept.state.get() == state) == Some(true)
    }

    /// Whether the state is one that this thread goes on using, or will delete itself.
    pub fn keeps(&self, state: ThreadState) -> bool {
        self.look(|inner| inner.kept.iter().chain(&inner.surplus).any(|kept| kept.state.get() == state)) == Some(true)
    }

    /// Ends the innermost acquisition, which is returned, and gives the GIL up. Nothing is done on an empty stack.
    ///
    /// # Safety
    ///
    /// This thread must hold the GIL with the state of that acquisition.
    #[inline]
    pub unsafe fn release(&self) -> Option<Rc<OwnState<D>>> {
        let (interpreter, state, aside, part) = self.lists(|inner| {
            let kept = inner.held.last()?;
            let aside = if kept.origin == Origin::Borrowed { inner.aside.pop() } else { None };
            Some((kept.interpreter, kept.state.get(), aside, kept.runs.end()))
        })?;
        // SAFETY: the caller's promise; no Python code runs on the state any more.
        unsafe { self.put_down(interpreter, state, part) };
        // The acquisition is still on the stack: destructors of a request's objects run Python code, and may acquire an
        // interpreter themselves.
        // SAFETY: the caller holds the GIL with it.
        unsafe {
            match aside {
                Some(aside) => P::put_back(state, aside),
                None => P::renew(state),
            }
        }
        // In one piece for a signal handler: the state of the innermost acquisition is the one that is attached.
        let kept = self.closed(|| {
            let kept = self.inner.borrow_mut().held.pop().expect("it was there above");
            // SAFETY: the caller holds the GIL with this state.
            unsafe { P::detach() };
            kept
        });
        self.reenter(kept.outer.replace(Suspended::Nothing));
        Some(kept)
    }

    /// Does `work` in an acquisition of its own: with the GIL, on a state of that interpreter, which it is given.
    /// Nothing if a signal handler ends the process, or if there is no memory for a state; then the GIL is not taken.
    ///
    /// # Safety
    ///
    /// The interpreter is alive. `work` gives up no acquisition but its own.
    pub unsafe fn within<R>(
        &self,
        interpreter: Interpreter,
        data: fn(Interpreter) -> D,
        work: impl FnOnce(ThreadState) -> R,
    ) -> Option<R> {
        let outer = self.leave();
        if matches!(outer, Suspended::Interrupted) {
            return None;
        }
        // SAFETY: the caller's promise.
        let Some(kept) = (unsafe { self.select(interpreter, data) }) else {
            self.reenter(outer);
            return None;
        };
        let state = kept.state();
        // SAFETY: `leave` has found that this thread has no GIL, or has given it up; from `enter` on it is held.
        unsafe {
            self.enter(kept, outer);
            let result = work(state);
            self.release();
            Some(result)
        }
    }

    /// In the child of a fork Python has deleted the states of every other interpreter, and of the main one all but the
    /// current one.
    #[inline]
    fn forget_after_fork(&self) {
        let forks = fork::count();
        if self.forks.replace(forks) != forks {
            self.forget_lost();
        }
    }

    #[cold]
    fn forget_lost(&self) {
        self.lists(|inner| {
            inner.surplus.clear();
            inner.kept.retain(|kept| Rc::strong_count(kept) > 1);
        });
    }
}

impl<P: Cpython, D> Drop for ThreadStates<P, D> {
    /// The end of the thread: its states go with it, or each thread an MPM retires would leave some behind.
    fn drop(&mut self) {
        // With the main thread it is the process that ends, possibly inside a signal handler.
        if self.closed.get() || signals::in_main_thread() || !P::is_initialized() || P::is_finalizing() {
            return;
        }
        self.forget_after_fork();
        let inner = self.inner.get_mut();
        let idle = inner.kept.iter().filter(|kept| kept.origin == Origin::Ours && Rc::strong_count(kept) == 1);
        let states: Vec<_> = idle.chain(&inner.surplus).map(|kept| kept.state.get()).collect();
        // SAFETY: made by this thread, cleared at its last release (or never entered), and this thread will not run
        // again.
        unsafe { P::delete_at_end(&states) };
    }
}
