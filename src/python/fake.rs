//! A CPython that models the life of thread states, so that [`threads`](super::threads) can be driven through random
//! sequences of what happens in a thread: requests, nested ones, callbacks of C code, in every order. It panics at
//! whatever would be a deadlock, a use of freed memory, or something of one request seen by another.
//!
//! A world has one thread, that of the test; `MUTANT` breaks the model's own promises, to show that it notices.

use super::{
    Cpython, Interpreter, ThreadState,
    threads::{Request, Requests, Threads},
};
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    mem::ManuallyDrop,
    panic,
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
    unsafe fn renew(state: ThreadState) -> bool {
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
        true
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
    unsafe fn pack(state: ThreadState) -> Option<Value> {
        let value = world(|world| {
            assert_eq!(world.attached, Some(number(state)), "another state is current");
            let state = world.alive(state);
            if MUTANT == PACKS_A_COPY { state.value } else { std::mem::take(&mut state.value) }
        });
        (value != 0).then_some(value)
    }
    unsafe fn unpack(state: ThreadState, luggage: Value) {
        world(|world| {
            assert_eq!(world.attached, Some(number(state)), "another state is current");
            world.ids += 1;
            let id = world.ids;
            let state = world.alive(state);
            (state.id, state.value) = (id, if MUTANT == UNPACKS_NOTHING { 0 } else { luggage });
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

/// One random thread: what it does, and what it may see.
struct Driver<const FOLLOWS: bool, const MUTANT: u8> {
    threads: Threads<Fake<FOLLOWS, MUTANT>, ()>,
    seed: u64,
    /// The objects of requests that have not ended, and what each has left in which interpreter; the innermost last.
    served: Vec<(usize, HashMap<usize, Value>)>,
}

impl<const FOLLOWS: bool, const MUTANT: u8> Driver<FOLLOWS, MUTANT> {
    fn below(&mut self, limit: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % limit
    }

    /// A request; `depth` is what may still be nested.
    fn request(&mut self, depth: u64) {
        let asked = 1 + self.below(80).min(self.below(80)) as usize;
        let outer = self.threads.leave();
        // SAFETY: interpreters of the model live for ever.
        unsafe {
            let kept = self.threads.select(interpreter(asked), |_| ()).expect("there is memory");
            self.threads.enter(kept, outer);
        }
        let state = world(|world| {
            assert_eq!(world.read(), 0, "a request sees what another has set");
            assert_eq!(world.current().interpreter, asked);
            if asked == MAIN {
                // Not in a thread of C or of the application that has a state of another interpreter.
                let of_main = world.gil_state.is_some_and(|known| world.states[&known].interpreter == MAIN);
                assert!(!of_main || world.gil_state == world.attached, "PyGILState_Check() is 0");
            }
            world.attached.expect("the GIL is held")
        });
        self.body(depth, state);
        // SAFETY: the GIL is held with it.
        unsafe { self.threads.release() };
    }

    /// What runs on the state that is attached: sets, reads, and lets others run inside it.
    fn body(&mut self, depth: u64, state: usize) {
        world(|world| world.current().frames += 1);
        for _ in 0..self.below(4) {
            let value = world(|world| if world.read() == 0 { world.set() } else { world.read() });
            if depth > 0 {
                let before = world(|world| world.states[&state].frames);
                let gives_up = self.below(2) == 0;
                if gives_up {
                    world(|world| world.attached = None);
                }
                self.step(depth - 1);
                if gives_up {
                    // SAFETY: the state that was given up above.
                    unsafe { Fake::<FOLLOWS, MUTANT>::attach(pointer(state)) };
                }
                world(|world| assert_eq!(world.states[&state].frames, before));
            }
            world(|world| {
                assert_eq!(world.attached, Some(state), "the outer one runs on its state");
                assert_eq!(world.read(), value, "the outer one's data was changed");
            });
        }
        world(|world| world.current().frames -= 1);
    }

    /// C code between PyGILState_Ensure and PyGILState_Release, as CPython has them.
    fn ensured(&mut self, depth: u64) {
        let (state, is_new, held) = world(|world| {
            let is_new = world.gil_state.is_none();
            let state = world.gil_state.unwrap_or_else(|| world.make(MAIN));
            let held = world.attached == Some(state);
            (state, is_new, held)
        });
        if world(|world| world.attached.is_some() && !held) {
            // Up to 3.11 CPython itself waits for itself here.
            return;
        }
        if !held {
            // SAFETY: the thread's own state.
            unsafe { Fake::<FOLLOWS, MUTANT>::attach(pointer(state)) };
        }
        world(|world| world.current().ensured += u32::from(!is_new));
        self.body(depth, state);
        world(|world| world.current().ensured -= u32::from(!is_new));
        if is_new {
            world(|world| {
                world.current().is_gone = true;
                (world.attached, world.gil_state) = (None, None);
            });
        } else if !held {
            world(|world| world.attached = None);
        }
    }

    /// A request as Apache has it: phases that each acquire an interpreter, then cleanups, which nobody dispatches.
    fn phases(&mut self, depth: u64) {
        // The address of an object is another's afterwards.
        let object = 0x1000 + self.served.len();
        self.served.push((object, HashMap::new()));
        let opened = self.phase(depth, object, true).expect("it begins here");
        for _ in 0..self.below(4) {
            if self.below(2) == 0 {
                self.step(depth.saturating_sub(1));
            }
            self.phase(depth, object, false);
        }
        self.threads.expect(opened);
        for _ in 0..self.below(3) {
            self.acquired_for(depth, object, |_| None);
        }
        self.threads.close_request(opened, |_| ());
        let (_, left) = self.served.pop().expect("it was served");
        let is_left = |world: &mut World| left.values().any(|value| *value != 0 && !world.given_up.contains(value));
        assert!(!world(is_left), "what a request has left outlives it");
    }

    fn phase(&mut self, depth: u64, object: usize, is_first: bool) -> Option<Request> {
        self.acquired_for(depth, object, |threads| {
            let opened = if is_first { threads.open_request() } else { None };
            // SAFETY: the GIL is held, and nothing runs on the state.
            unsafe { threads.dispatch(Some(object)) };
            opened
        })
    }

    /// An acquisition for the request of that object, which is the last or the one around it.
    fn acquired_for(
        &mut self,
        depth: u64,
        object: usize,
        begin: impl FnOnce(&Threads<Fake<FOLLOWS, MUTANT>, ()>) -> Option<Request>,
    ) -> Option<Request> {
        let asked = 1 + self.below(3) as usize;
        let outer = self.threads.leave();
        // SAFETY: interpreters of the model live for ever.
        unsafe {
            let kept = self.threads.select(interpreter(asked), |_| ()).expect("there is memory");
            self.threads.enter(kept, outer);
        }
        let opened = begin(&self.threads);
        let left = |driver: &Self| driver.served.iter().rposition(|(known, _)| *known == object).expect("it is served");
        let place = left(self);
        let before = self.served[place].1.get(&asked).copied().unwrap_or(0);
        let state = world(|world| {
            assert_eq!(world.read(), before, "a phase does not find what the one before has left");
            world.attached.expect("the GIL is held")
        });
        if before == 0 && self.below(2) == 0 {
            let value = world(|world| world.set());
            self.served[place].1.insert(asked, value);
        }
        if depth > 0 && self.below(3) == 0 {
            // A filter of the same request, inside: it gets nothing.
            let kept = self.served[place].1.insert(asked, 0);
            world(|world| world.current().frames += 1);
            let outer = self.threads.leave();
            // SAFETY: as above.
            unsafe {
                let kept = self.threads.select(interpreter(asked), |_| ()).expect("there is memory");
                self.threads.enter(kept, outer);
                self.threads.dispatch(Some(object));
            }
            world(|world| {
                assert_eq!(world.read(), 0, "a nested acquisition sees what the outer one has set");
                world.set();
            });
            // SAFETY: the GIL is held with it.
            unsafe { self.threads.release() };
            world(|world| {
                assert_eq!(world.attached, Some(state), "the outer one runs on its state");
                world.current().frames -= 1;
            });
            self.served[place].1.insert(asked, kept.unwrap_or(0));
        }
        // SAFETY: the GIL is held with it.
        unsafe { self.threads.release() };
        opened
    }

    fn step(&mut self, depth: u64) {
        match self.below(8) {
            0 | 1 => self.ensured(depth),
            2 | 3 => self.phases(depth),
            _ => self.request(depth),
        }
    }
}

/// Runs `number` random threads.
fn drive<const FOLLOWS: bool, const MUTANT: u8>(number: u64) {
    for seed in 0..number {
        world(|world| *world = World::default());
        if seed % 3 == 0 {
            // The thread that started Python, or one of the application.
            world(|world| world.make(1 + (seed % 2) as usize));
        }
        // Not dropped by a panic, whose world may be in any state.
        let mut driver = ManuallyDrop::new(Driver::<FOLLOWS, MUTANT> {
            threads: Threads::new(Box::leak(Box::new(Requests::new()))),
            seed,
            served: Vec::new(),
        });
        (0..150).for_each(|_| driver.step(3));
        drop(ManuallyDrop::into_inner(driver));
        let left = world(|world| world.states.values().filter(|state| !state.is_gone).count());
        assert!(left <= 1, "the thread leaves {left} states behind");
    }
}

#[test]
fn random_threads_keep_requests_apart() {
    drive::<false, 0>(100);
    drive::<true, 0>(100);
}

#[test]
fn the_model_notices_what_is_broken() {
    let notices = |run: fn()| panic::catch_unwind(run).is_err();
    let noticed = [
        notices(|| drive::<false, KEEPS_ID>(50)),
        notices(|| drive::<true, KEEPS_ID>(50)),
        notices(|| drive::<false, KEEPS_VALUE>(50)),
        notices(|| drive::<true, KEEPS_VALUE>(50)),
        notices(|| drive::<false, SETS_NOTHING_ASIDE>(50)),
        notices(|| drive::<false, OVERLOOKS_ENSURED>(50)),
        notices(|| drive::<true, OVERLOOKS_ENSURED>(50)),
        notices(|| drive::<false, UNPACKS_NOTHING>(50)),
        notices(|| drive::<true, UNPACKS_NOTHING>(50)),
        notices(|| drive::<false, PACKS_A_COPY>(50)),
        notices(|| drive::<true, PACKS_A_COPY>(50)),
    ];
    assert_eq!(noticed, [true; 11]);
}
