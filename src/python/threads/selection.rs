//! Which of a thread's states an acquisition gets, and how many are kept.

use super::{
    Cpython, Inner, Interpreter, KEPT_AT_MOST, Origin, OwnState, Suspended, ThreadState, ThreadStates, requests,
};
use std::{cell::Cell, rc::Rc};

impl<P: Cpython, D> ThreadStates<P, D> {
    /// A state of `interpreter` for this thread that nothing runs on, made if need be, without the GIL. Nothing if
    /// there is no memory.
    ///
    /// # Safety
    ///
    /// The interpreter must be alive.
    #[inline]
    pub unsafe fn select(&self, interpreter: Interpreter, data: fn(Interpreter) -> D) -> Option<Rc<OwnState<D>>> {
        self.forget_after_fork();
        let own = self.find(interpreter, |kept| kept.origin != Origin::Borrowed);
        if let Some(kept) = &own {
            // The thread's state in the main interpreter is the one that may have changed its owner between two
            // requests.
            if P::GIL_STATE_FOLLOWS || !kept.is_main || P::gil_state() == Some(kept.state.get()) {
                return own;
            }
        }
        // SAFETY: handed on.
        unsafe { self.select_another(interpreter, own, data) }
    }

    /// The same where `own`, the state that is kept for this, is not there or may not be used.
    ///
    /// # Safety
    ///
    /// As for [`select`](Self::select).
    #[cold]
    unsafe fn select_another(
        &self,
        interpreter: Interpreter,
        own: Option<Rc<OwnState<D>>>,
        data: fn(Interpreter) -> D,
    ) -> Option<Rc<OwnState<D>>> {
        if !P::GIL_STATE_FOLLOWS {
            let main = P::main_interpreter();
            if P::gil_state().is_none() && interpreter != main {
                // SAFETY: the main interpreter lives as long as Python.
                unsafe { self.select(main, data) }?;
            }
            if let Some(state) = self.gil_state_of(interpreter) {
                return Some(self.on_gil_state(interpreter, state, data));
            }
        }
        if own.is_some() {
            return own;
        }
        // SAFETY: the caller says that the interpreter is alive.
        let state = self.closed(|| unsafe { P::new_state(interpreter) })?;
        Some(self.keep(interpreter, state, Origin::Ours, data(interpreter)))
    }

    /// The state that `PyGILState_Ensure` would use in this thread, if it is one of `interpreter`.
    fn gil_state_of(&self, interpreter: Interpreter) -> Option<ThreadState> {
        // SAFETY: a state that a living thread has as its own is alive.
        P::gil_state().filter(|state| unsafe { P::interpreter_of(*state) } == interpreter)
    }

    /// The thread's PyGILState: as an idle one of ours, else borrowed.
    fn on_gil_state(
        &self,
        interpreter: Interpreter,
        state: ThreadState,
        data: fn(Interpreter) -> D,
    ) -> Rc<OwnState<D>> {
        let ours = |kept: &OwnState<D>| kept.origin != Origin::Borrowed && kept.state.get() == state;
        if let Some(kept) = self.find(interpreter, ours) {
            return kept;
        }
        if let Some(kept) = self.find(interpreter, |kept| kept.origin == Origin::Borrowed) {
            kept.state.set(state);
            return kept;
        }
        self.keep(interpreter, state, Origin::Borrowed, data(interpreter))
    }

    /// Takes in a state that exists already and is of this thread: the first of a new interpreter.
    pub fn adopt(&self, interpreter: Interpreter, state: ThreadState, data: D) -> Rc<OwnState<D>> {
        self.keep(interpreter, state, Origin::First, data)
    }

    /// An idle one of that interpreter, of that kind.
    #[inline]
    fn find(&self, interpreter: Interpreter, of_kind: impl Fn(&OwnState<D>) -> bool) -> Option<Rc<OwnState<D>>> {
        self.lists(|inner| {
            inner.uses += 1;
            let kept = (inner.kept.iter())
                .find(|kept| kept.interpreter == interpreter && of_kind(kept) && Self::is_idle(kept))?;
            kept.last_use.set(inner.uses);
            Some(Rc::clone(kept))
        })
    }

    /// Whether nothing runs on it, neither a request (an acquisition that has selected its state but not entered it
    /// holds a second reference, too) nor C code between PyGILState_Ensure and PyGILState_Release.
    fn is_idle(kept: &Rc<OwnState<D>>) -> bool {
        // SAFETY: a state that is kept and not borrowed is alive, and only this thread changes what is read.
        Rc::strong_count(kept) == 1 && (kept.origin == Origin::Borrowed || !unsafe { P::is_ensured(kept.state.get()) })
    }

    fn keep(&self, interpreter: Interpreter, state: ThreadState, origin: Origin, data: D) -> Rc<OwnState<D>> {
        let main = P::main_interpreter();
        self.lists(|inner| {
            inner.uses += 1;
            let Inner { kept: list, surplus, uses, .. } = inner;
            if list.len() >= KEPT_AT_MOST {
                let idle = list
                    .iter()
                    .enumerate()
                    .filter(|(_, kept)| kept.origin == Origin::Ours && !kept.is_main && Self::is_idle(kept));
                if let Some((oldest, _)) = idle.min_by_key(|(_, kept)| kept.last_use.get()) {
                    surplus.push(list.swap_remove(oldest));
                }
            }
            let (state, last_use, is_main) = (Cell::new(state), Cell::new(*uses), interpreter == main);
            let (outer, runs) = (Cell::new(Suspended::Nothing), requests::Runs::nothing());
            let kept = Rc::new(OwnState { interpreter, state, origin, is_main, last_use, outer, runs, data });
            list.push(Rc::clone(&kept));
            kept
        })
    }
}
