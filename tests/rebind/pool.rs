//! APR's pools, as far as their cleanups go, by their published interface.

use std::{
    cell::RefCell,
    ffi::{c_int, c_void},
};

type Cleanup = unsafe extern "C" fn(*mut c_void) -> c_int;

/// A pool, as far as its cleanups go.
#[derive(Default)]
pub struct Pool {
    cleanups: Vec<(usize, Cleanup)>,
}

#[unsafe(no_mangle)]
unsafe extern "C" fn apr_pool_cleanup_register(
    pool: *mut c_void,
    data: *const c_void,
    plain: Option<Cleanup>,
    _: *const c_void,
) {
    // SAFETY: one of the pools below, or none.
    if let Some(pool) = unsafe { pool.cast::<RefCell<Pool>>().as_ref() } {
        pool.borrow_mut().cleanups.push((data as usize, plain.expect("a function")));
    }
}

impl Pool {
    /// Runs the newest cleanup first, as apr_pool_destroy does, and those that another cleanup registers.
    pub fn destroy(pool: &RefCell<Self>) {
        loop {
            let newest = pool.borrow_mut().cleanups.pop();
            let Some((data, run)) = newest else { return };
            // SAFETY: registered with this data.
            unsafe { run(data as *mut c_void) };
        }
    }
}
