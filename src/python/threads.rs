//! Which thread state a request runs on (R5, R6, R9), and the stack of acquisitions of each thread.
//!
//! - A thread's first state is one of the main interpreter and is kept: `PyGILState_Ensure` uses a thread's first
//!   state, and deadlocks up to 3.11 when it belongs to another interpreter than the one the thread runs in.
//! - A thread keeps one state per interpreter, emptied at each outermost release. To make one for each request, as
//!   mod_python does, takes three times as long in 2.7, and from 3.11 on, where a state maps memory at its first call,
//!   some 8 µs.
//! - A nested acquisition (a request in a request: internal_redirect, a filter, a subrequest) of the same interpreter
//!   enters the same state again and counts the depth, as a callback from C into Python would.
//!
//! `D` is what the host's generation keeps beside each state, at an address that stays the same.

use super::{Cpython, Interpreter, ThreadState, fork};
use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    rc::Rc,
};

/// States of one thread that are kept while nothing runs on them. A thread that has served more interpreters than that
/// gives the one it has not used for longest back; 64 states of 32 threads take some 35 MB.
const KEPT_AT_MOST: usize = 64;

/// A thread's state of one interpreter.
pub struct Kept<D> {
    interpreter: Interpreter,
    state: ThreadState,
    /// Made by this room, so that it is also this room that destroys it.
    ours: bool,
    depth: Cell<u32>,
    last_use: Cell<u64>,
    /// See the module's text.
    pub data: D,
}

impl<D> Kept<D> {
    /// The interpreter.
    pub fn interpreter(&self) -> Interpreter {
        self.interpreter
    }

    /// The state.
    pub fn state(&self) -> ThreadState {
        self.state
    }
}

/// One acquisition that has not been released.
struct Held<D> {
    kept: Rc<Kept<D>>,
    outer: Outer,
}

/// The state that a thread had been running on, with the GIL, when it asked for an interpreter.
#[must_use = "it has to be attached again when the nested acquisition ends"]
pub struct Outer(Option<ThreadState>);

struct Inner<D> {
    kept: Vec<Rc<Kept<D>>>,
    held: Vec<Held<D>>,
    /// States to destroy once the GIL is held.
    surplus: Vec<ThreadState>,
    uses: u64,
    forks: u32,
}

/// The states of one thread. Not shared: every method is called by that thread. No borrow of the lists is held across
/// a call into CPython that can run Python code, since that code may acquire an interpreter in this thread.
pub struct Threads<P: Cpython, D> {
    inner: RefCell<Inner<D>>,
    python: PhantomData<P>,
}

impl<P: Cpython, D> Threads<P, D> {
    /// A thread that has no state yet.
    pub const fn new() -> Self {
        let inner = Inner { kept: Vec::new(), held: Vec::new(), surplus: Vec::new(), uses: 0, forks: 0 };
        Self { inner: RefCell::new(inner), python: PhantomData }
    }

    /// Gives the GIL up if this thread holds it, so that it may wait: a handler that calls Apache without releasing
    /// the GIL (`req.discard_request_body` with an input filter, say) would otherwise wait for itself.
    pub fn leave(&self) -> Outer {
        let Some(attached) = P::attached() else { return Outer(None) };
        let innermost = self.inner.borrow().held.last().map(|held| held.kept.state);
        if innermost != Some(attached) && P::gil_state() != Some(attached) {
            return Outer(None);
        }
        // SAFETY: a state of this thread is current, so this thread holds the GIL with it.
        Outer(Some(unsafe { P::detach() }))
    }

    /// Takes back what [`leave`](Self::leave) gave up.
    pub fn reenter(&self, outer: Outer) {
        if let Outer(Some(state)) = outer {
            // SAFETY: it was this thread's current state at `leave`, and nothing has destroyed it: code that runs
            // nested cannot release an acquisition below its own.
            unsafe { P::attach(state) };
        }
    }

    /// This thread's state of `interpreter`, made if need be, without the GIL. Nothing if there is no memory.
    ///
    /// # Safety
    ///
    /// The interpreter must be alive.
    pub unsafe fn select(&self, interpreter: Interpreter, data: fn(Interpreter) -> D) -> Option<Rc<Kept<D>>> {
        self.forget_after_fork();
        if let Some(kept) = self.find(interpreter) {
            return Some(kept);
        }
        let gil_state = P::gil_state();
        let main = P::main_interpreter();
        if gil_state.is_none() && interpreter != main {
            // SAFETY: the main interpreter lives as long as Python.
            unsafe { self.select(main, data) }?;
        }
        // SAFETY: a state that a living thread has as its own is alive.
        let own = gil_state.filter(|state| unsafe { P::interpreter_of(*state) } == interpreter);
        let state = match own {
            Some(state) => state,
            // SAFETY: the caller says that the interpreter is alive.
            None => unsafe { P::new_state(interpreter) }?,
        };
        Some(self.keep(interpreter, state, own.is_none(), data(interpreter)))
    }

    /// Takes in a state that exists already and is of this thread: the first of a new interpreter.
    ///
    /// It is never destroyed, not even when its thread ends: in 3.11 it is part of the interpreter, and once an
    /// interpreter has lost its last state the next one made for it finds this one used ("init_threadstate: thread state
    /// already initialized", fatal).
    pub fn adopt(&self, interpreter: Interpreter, state: ThreadState, data: D) -> Rc<Kept<D>> {
        self.keep(interpreter, state, false, data)
    }

    fn find(&self, interpreter: Interpreter) -> Option<Rc<Kept<D>>> {
        let mut inner = self.inner.borrow_mut();
        inner.uses += 1;
        let kept = inner.kept.iter().find(|kept| kept.interpreter == interpreter)?;
        kept.last_use.set(inner.uses);
        Some(Rc::clone(kept))
    }

    fn keep(&self, interpreter: Interpreter, state: ThreadState, ours: bool, data: D) -> Rc<Kept<D>> {
        let mut inner = self.inner.borrow_mut();
        let Inner { kept: list, surplus, uses, .. } = &mut *inner;
        *uses += 1;
        if list.len() >= KEPT_AT_MOST {
            let main = P::main_interpreter();
            let idle = list.iter().enumerate().filter(|(_, kept)| {
                // An acquisition that has selected its state but not entered it holds a second reference.
                kept.depth.get() == 0 && kept.ours && kept.interpreter != main && Rc::strong_count(kept) == 1
            });
            if let Some((oldest, _)) = idle.min_by_key(|(_, kept)| kept.last_use.get()) {
                surplus.push(list.swap_remove(oldest).state);
            }
        }
        let kept = Rc::new(Kept { interpreter, state, ours, depth: Cell::new(0), last_use: Cell::new(*uses), data });
        list.push(Rc::clone(&kept));
        kept
    }

    /// Enters a selected state: takes the GIL with it, the one time of an acquisition (R5).
    ///
    /// # Safety
    ///
    /// This thread must not hold the GIL. While Python shuts down the call may not return.
    pub unsafe fn enter(&self, kept: Rc<Kept<D>>, outer: Outer) {
        let state = self.push(kept, outer);
        // SAFETY: the state is this thread's own and alive while it is kept, and the caller says that the GIL is free to
        // be taken.
        unsafe { P::attach(state) };
        self.destroy_surplus();
    }

    /// Enters a state that is current already, in a thread that holds the GIL with it.
    pub fn enter_attached(&self, kept: Rc<Kept<D>>, outer: Outer) {
        self.push(kept, outer);
        self.destroy_surplus();
    }

    fn push(&self, kept: Rc<Kept<D>>, outer: Outer) -> ThreadState {
        let state = kept.state;
        kept.depth.set(kept.depth.get() + 1);
        self.inner.borrow_mut().held.push(Held { kept, outer });
        state
    }

    fn destroy_surplus(&self) {
        loop {
            let Some(state) = self.inner.borrow_mut().surplus.pop() else { return };
            // SAFETY: this thread made it, it was cleared at its outermost release, and it left the list of kept ones.
            unsafe { P::delete(state) };
        }
    }

    /// The innermost acquisition of this thread.
    pub fn innermost(&self) -> Option<Rc<Kept<D>>> {
        self.inner.borrow().held.last().map(|held| Rc::clone(&held.kept))
    }

    /// Whether the innermost acquisition runs on this state.
    #[inline]
    pub fn runs_on(&self, state: ThreadState) -> bool {
        self.inner.borrow().held.last().is_some_and(|held| held.kept.state == state)
    }

    /// Ends the innermost acquisition, which is returned, and gives the GIL up. Nothing is done on an empty stack.
    ///
    /// # Safety
    ///
    /// This thread must hold the GIL with the state of that acquisition.
    pub unsafe fn release(&self) -> Option<Rc<Kept<D>>> {
        let innermost = self.inner.borrow().held.last().map(|held| (held.kept.state, held.kept.depth.get()));
        let (state, depth) = innermost?;
        if depth == 1 {
            // The acquisition is still on the stack: destructors of a request's objects run Python code, and may
            // acquire an interpreter themselves.
            // SAFETY: the caller holds the GIL with it.
            unsafe { P::clear(state) };
        }
        let Held { kept, outer } = self.inner.borrow_mut().held.pop().expect("it was there above");
        kept.depth.set(depth - 1);
        // SAFETY: the caller holds the GIL.
        unsafe { P::detach() };
        self.reenter(outer);
        Some(kept)
    }

    /// In the child of a fork Python has deleted the states of every interpreter but the main one.
    fn forget_after_fork(&self) {
        let forks = fork::count();
        let mut inner = self.inner.borrow_mut();
        if inner.forks != forks {
            inner.forks = forks;
            inner.surplus.clear();
            if P::is_initialized() {
                let main = P::main_interpreter();
                inner.kept.retain(|kept| kept.interpreter == main || kept.depth.get() > 0);
            }
        }
    }
}

impl<P: Cpython, D> Default for Threads<P, D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Cpython, D> Drop for Threads<P, D> {
    /// The end of the thread: its states go with it, or each thread an MPM retires would leave some behind.
    fn drop(&mut self) {
        self.forget_after_fork();
        if !P::is_initialized() || P::is_finalizing() {
            return;
        }
        let inner = self.inner.get_mut();
        let idle = inner.kept.iter().filter(|kept| kept.ours && kept.depth.get() == 0);
        for state in idle.map(|kept| kept.state).chain(inner.surplus.drain(..)) {
            // SAFETY: made by this thread, cleared at its last release (or never entered), and this thread will not
            // run again. Needs no GIL: the list of states has a lock of its own.
            unsafe { P::delete(state) };
        }
    }
}
