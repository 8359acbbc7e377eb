//! Drives a model of CPython through random sequences of what happens in a thread.

use super::{
    Fake, KEEPS_ID, KEEPS_VALUE, MAIN, OVERLOOKS_ENSURED, PACKS_A_COPY, SETS_NOTHING_ASIDE, UNPACKS_NOTHING, Value,
    World, interpreter, pointer, world,
};
use crate::python::{
    Cpython,
    threads::{Record, Request, Requests, ThreadStates},
};
use std::{collections::HashMap, mem::ManuallyDrop, panic};

/// The values a request has left, by interpreter and nesting.
type Left = HashMap<(usize, usize), Value>;

/// One thread that acts at random, and the values it may see.
struct Driver<const FOLLOWS: bool, const MUTANT: u8> {
    threads: ThreadStates<Fake<FOLLOWS, MUTANT>, ()>,
    seed: u64,
    /// The objects of requests that have not ended, and the values that each has left; the innermost last.
    served: Vec<(usize, Left)>,
    /// The object and interpreter of each acquisition that runs for a request.
    running: Vec<(usize, usize)>,
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

    /// The code that runs on the attached state: sets, reads, and lets others run inside it.
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
        for _ in 0..self.below(3) {
            self.acquired_for(depth, object, Some(opened), |_| None);
        }
        self.threads.close_request(opened, |_| ());
        let (_, left) = self.served.pop().expect("it was served");
        let is_left = |world: &mut World| left.values().any(|value| *value != 0 && !world.given_up.contains(value));
        assert!(!world(is_left), "what a request has left outlives it");
    }

    fn phase(&mut self, depth: u64, object: usize, is_first: bool) -> Option<Request> {
        self.acquired_for(depth, object, None, |threads| {
            let opened = if is_first { threads.open_request(|| Record { root: object, is_first: true }) } else { None };
            // SAFETY: the GIL is held, and nothing runs on the state.
            unsafe { threads.dispatch(Some(object)) };
            opened
        })
    }

    /// An acquisition for the request of that object, which is the last or one around it: a cleanup if `expected` says
    /// for which, else `begin` dispatches it.
    fn acquired_for(
        &mut self,
        depth: u64,
        object: usize,
        expected: Option<Request>,
        begin: impl FnOnce(&ThreadStates<Fake<FOLLOWS, MUTANT>, ()>) -> Option<Request>,
    ) -> Option<Request> {
        let asked = 1 + self.below(3) as usize;
        let outer = self.threads.leave();
        self.threads.acquiring_for(expected, || {
            // SAFETY: interpreters of the model live for ever.
            unsafe {
                let kept = self.threads.select(interpreter(asked), |_| ()).expect("there is memory");
                self.threads.enter(kept, outer);
            }
        });
        let opened = begin(&self.threads);
        let place = self.served.iter().rposition(|(known, _)| *known == object).expect("it is served");
        // A phase within a phase of the same request, in the same interpreter, is on its own.
        let nesting = self.running.iter().filter(|running| **running == (object, asked)).count();
        let before = self.served[place].1.get(&(asked, nesting)).copied().unwrap_or(0);
        let state = world(|world| {
            assert_eq!(world.read(), before, "a phase does not find what the one before has left");
            world.attached.expect("the GIL is held")
        });
        let mut value = before;
        let nests = depth > 0 && self.below(3) == 0;
        // C code that is called inside sets something where there is nothing.
        if before == 0 && (nests || self.below(2) == 0) {
            value = world(|world| world.set());
            self.served[place].1.insert((asked, nesting), value);
        }
        if nests {
            self.running.push((object, asked));
            world(|world| world.current().frames += 1);
            if self.below(2) == 0 {
                self.phase(depth - 1, object, false);
            } else {
                self.step(depth - 1);
            }
            world(|world| {
                assert_eq!(world.attached, Some(state), "the outer one runs on its state");
                world.current().frames -= 1;
                assert_eq!(world.read(), value, "the outer one's data was changed");
            });
            self.running.pop();
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
            threads: ThreadStates::new(Box::leak(Box::new(Requests::new()))),
            seed,
            served: Vec::new(),
            running: Vec::new(),
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
