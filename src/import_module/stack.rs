//! How much is left of the thread's own stack.
//!
//! Each module that imports the next one takes about 4 kB of it, some 2 kB more than with a plain import. Under a small
//! `ThreadStackSize` a long chain would come to its end before Python's limit of frames does, and that is a crash.

use std::cell::OnceCell;

/// The least that the code of a module, and the functions that run it, need.
const ENOUGH: usize = 64 << 10;

/// The lowest address of a stack, and its size in bytes.
#[derive(Clone, Copy)]
struct Bounds {
    low: usize,
    size: usize,
}

thread_local! {
    static BOUNDS: OnceCell<Option<Bounds>> = const { OnceCell::new() };
}

/// Whether the code of one more module could come to the end of it. An eighth of a small stack is enough; where the end
/// is not known, and on a stack that is not the thread's (a coroutine's), there is enough.
pub(super) fn is_short() -> bool {
    let here = 0_u8;
    let here = (&raw const here).addr();
    let Some(bounds) = BOUNDS.with(|bounds| *bounds.get_or_init(bounds_of_thread)) else { return false };
    let left = here.checked_sub(bounds.low).filter(|left| *left <= bounds.size);
    left.is_some_and(|left| left < ENOUGH.min(bounds.size / 8))
}

fn bounds_of_thread() -> Option<Bounds> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: space for the answer, which is initialised if the call succeeds, and is destroyed once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let (mut low, mut size) = (std::ptr::null_mut(), 0);
        let failed = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        (failed == 0).then_some(Bounds { low: low.addr(), size })
    }
}
