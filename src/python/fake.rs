//! A CPython that models the life of thread states, so that [`threads`](super::threads) can be driven through random
//! sequences of what happens in a thread: requests, nested ones, callbacks of C code, in every order. It panics at
//! whatever would be a deadlock, a use of freed memory, or something of one request seen by another.
//!
//! A world has one thread, that of the test; `MUTANT` breaks the model's own promises, to show that it notices.

mod driver;

use super::{Cpython, Interpreter, ThreadState};
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

/// Values, by number; 0 is none. What a request has set in its state.
type Value = u64;

#[derive(Clone, Default)]
struct State {
    interpreter: usize,
    value: Value,
    id: u64,
    ensured: u32,
    /// Frames run on it: an acquisition's, or those of C code.
    frames: u32,
    is_gone: bool,
}

#[derive(Default)]
struct World {
    states: HashMap<usize, State>,
    attached: Option<usize>,
    gil_state: Option<usize>,
    ids: u64,
    values: Value,
    /// The id under which the one variable has remembered its value, as ContextVar does.
    remembered: (u64, Value),
    /// Values that have been given up.
    given_up: HashSet<Value>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn world<R>(with: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with(|world| with(&mut world.borrow_mut()))
}

fn pointer(number: usize) -> ThreadState {
    ThreadState::new(number as *mut u8).expect("numbers begin at 1")
}

fn number(state: ThreadState) -> usize {
    state.as_ptr::<u8>() as usize
}

const MAIN: usize = 1;

fn interpreter(number: usize) -> Interpreter {
    Interpreter::new(number as *mut u8).expect("numbers begin at 1")
}

impl World {
    fn alive(&mut self, state: ThreadState) -> &mut State {
        let state = self.states.get_mut(&number(state)).expect("a state of this world");
        assert!(!state.is_gone, "a state is used after its end");
        state
    }

    fn current(&mut self) -> &mut State {
        let attached = self.attached.expect("the GIL is held");
        self.alive(pointer(attached))
    }

    fn make(&mut self, interpreter: usize) -> usize {
        self.ids += 1;
        let (number, id) = (self.states.len() + 1, self.ids);
        self.states.insert(number, State { interpreter, id, ensured: 1, ..State::default() });
        self.gil_state.get_or_insert(number);
        number
    }

    /// Reads the variable as ContextVar does: what was remembered under the state's id goes first.
    fn read(&mut self) -> Value {
        let (id, value) = (self.current().id, self.current().value);
        if self.remembered.0 != id {
            self.remembered = (id, value);
        }
        assert_eq!(self.remembered.1, value, "what was remembered is not what is there: freed memory");
        assert!(value == 0 || !self.given_up.contains(&value), "a value is used after it was given up");
        value
    }

    fn set(&mut self) -> Value {
        self.values += 1;
        let value = self.values;
        self.current().value = value;
        self.remembered = (self.current().id, value);
        value
    }
}

/// CPython up to 3.11, and from 3.12 on if `FOLLOWS`.
struct Fake<const FOLLOWS: bool, const MUTANT: u8>;

/// `renew` keeps the id.
const KEEPS_ID: u8 = 1;
/// `renew` leaves what is in the state.
const KEEPS_VALUE: u8 = 2;
/// `set_aside` leaves it.
const SETS_NOTHING_ASIDE: u8 = 3;
/// C code that has called PyGILState_Ensure is not seen.
const OVERLOOKS_ENSURED: u8 = 4;
/// `pack` leaves what it packs.
const PACKS_A_COPY: u8 = 5;
/// `unpack` loses it.
const UNPACKS_NOTHING: u8 = 6;

// SAFETY: nothing points anywhere; each function does what the trait says of it, in the model.
unsafe impl<const FOLLOWS: bool, const MUTANT: u8> Cpython for Fake<FOLLOWS, MUTANT> {
    const GIL_STATE_FOLLOWS: bool = FOLLOWS;
    const ATTACHED_IS_OF_THREAD: bool = FOLLOWS;
    type Aside = (u64, Value);
    type Luggage = Value;

    fn is_initialized() -> bool {
        true
    }
    fn is_finalizing() -> bool {
        false
    }
    fn main_interpreter() -> Interpreter {
        interpreter(MAIN)
    }
    fn gil_state() -> Option<ThreadState> {
        world(|world| world.gil_state.map(pointer))
    }
    fn attached() -> Option<ThreadState> {
        world(|world| world.attached.map(pointer))
    }
    unsafe fn interpreter_of(state: ThreadState) -> Interpreter {
        world(|world| interpreter(world.alive(state).interpreter))
    }
    unsafe fn new_state(interpreter: Interpreter) -> Option<ThreadState> {
        Some(pointer(world(|world| world.make(interpreter.as_ptr::<u8>() as usize))))
    }
    unsafe fn attach(state: ThreadState) {
        world(|world| {
            assert_eq!(world.attached, None, "this thread waits for itself");
            world.alive(state);
            world.attached = Some(number(state));
            if FOLLOWS {
                world.gil_state = world.attached;
            }
        });
    }
    unsafe fn detach() -> ThreadState {
        pointer(world(|world| world.attached.take().expect("the GIL is held")))
    }
    unsafe fn renew(state: ThreadState) {
        world(|world| {
            assert_eq!(world.attached, Some(number(state)), "another state is current");
            world.ids += 1;
            let id = world.ids;
            let value = world.alive(state).value;
            world.given_up.insert(value);
            let state = world.alive(state);
            assert_eq!(state.frames, 0, "a state is emptied under whoever runs on it");
            if MUTANT != KEEPS_VALUE {
                state.value = 0;
            }
            if MUTANT != KEEPS_ID {
                state.id = id;
            }
        });
    }
    unsafe fn put_to_use(state: ThreadState, _: libc::pthread_t) {
        if world(|world| world.alive(state).value) != 0 {
            // SAFETY: the caller's promise.
            unsafe { Self::renew(state) };
        }
    }
    unsafe fn is_ensured(state: ThreadState) -> bool {
        MUTANT != OVERLOOKS_ENSURED && world(|world| world.alive(state).ensured) > 1
    }
    unsafe fn set_aside(state: ThreadState) -> Box<(u64, Value)> {
        assert!(!FOLLOWS, "nothing is to be borrowed here");
        world(|world| {
            world.ids += 1;
            let id = world.ids;
            let state = world.alive(state);
            let aside = Box::new((state.id, state.value));
            if MUTANT != SETS_NOTHING_ASIDE {
                (state.id, state.value) = (id, 0);
            }
            aside
        })
    }
    unsafe fn put_back(state: ThreadState, aside: Box<(u64, Value)>) {
        world(|world| {
            let value = world.alive(state).value;
            world.given_up.insert(value);
            let state = world.alive(state);
            (state.id, state.value) = *aside;
        });
    }
    unsafe fn pack(state: ThreadState) -> Option<Box<Value>> {
        let value = world(|world| {
            assert_eq!(world.attached, Some(number(state)), "another state is current");
            let state = world.alive(state);
            if MUTANT == PACKS_A_COPY { state.value } else { std::mem::take(&mut state.value) }
        });
        (value != 0).then(|| Box::new(value))
    }
    unsafe fn unpack(state: ThreadState, luggage: Box<Value>) {
        world(|world| {
            assert_eq!(world.attached, Some(number(state)), "another state is current");
            world.ids += 1;
            let id = world.ids;
            let state = world.alive(state);
            (state.id, state.value) = (id, if MUTANT == UNPACKS_NOTHING { 0 } else { *luggage });
        });
    }
    unsafe fn delete(state: ThreadState) {
        world(|world| {
            assert_ne!(world.attached, Some(number(state)), "the current state is deleted");
            let gone = world.alive(state);
            assert_eq!((gone.frames, gone.ensured), (0, 1), "a state is deleted under whoever runs on it");
            gone.is_gone = true;
            world.gil_state = world.gil_state.filter(|known| *known != number(state));
        });
    }
    unsafe fn swap(_: ThreadState) -> Option<ThreadState> {
        unreachable!("threads.rs does not swap")
    }
    unsafe fn swap_out() {
        unreachable!("threads.rs does not swap")
    }
    unsafe fn release_lock() {
        unreachable!("threads.rs has a state whenever it has the GIL")
    }
    unsafe fn after_fork() {
        unreachable!("no fork here")
    }
    unsafe fn has_other_states(_: ThreadState) -> bool {
        unreachable!("Python does not end here")
    }
    unsafe fn finalize() {
        unreachable!("Python does not end here")
    }
    unsafe fn new_interpreter() -> Option<ThreadState> {
        unreachable!("the interpreters are there")
    }
}
