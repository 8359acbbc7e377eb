//! Functions of the host (Apache, APR, the module itself), which come in through the glue in `capi`.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::LazyLock;

/// The type of an APR pool cleanup; the result is an `apr_status_t`, 0 for success.
pub type Cleanup = unsafe extern "C" fn(*mut c_void) -> c_int;

unsafe extern "C" {
    /// `apr_hash_make`
    pub fn mpc_server_hash_make(pool: *mut c_void) -> *mut c_void;
    /// `apr_hash_get`
    pub fn mpc_server_hash_get(hash: *mut c_void, key: *const c_void, length: isize) -> *mut c_void;
    /// `apr_hash_set`
    pub fn mpc_server_hash_set(hash: *mut c_void, key: *const c_void, length: isize, value: *const c_void);
    /// `apr_array_pop`
    pub fn mpc_server_array_pop(array: *mut c_void) -> *mut c_void;
    /// `apr_array_push`
    pub fn mpc_server_array_push(array: *mut c_void) -> *mut c_void;
    /// `apr_pool_cleanup_register`
    pub fn mpc_server_pool_cleanup_register(
        pool: *mut c_void,
        data: *const c_void,
        plain: Option<Cleanup>,
        child: Option<Cleanup>,
    );
    fn mpc_server_keep(pool: *mut c_void, key: *const c_char, data: *const c_void, size: usize);
    fn mpc_server_kept(pool: *mut c_void, key: *const c_char, size: *mut usize) -> *const c_void;
    fn mpc_server_log(level: c_int, message: *const c_char);
}

/// `ap_log_error`, to the main server's log; the level is syslog's.
pub fn log(level: c_int, text: &CStr) {
    // SAFETY: a NUL-terminated text that outlives the call.
    unsafe { mpc_server_log(level, text.as_ptr()) }
}

/// The address of a symbol that the module or the server exports, or NULL.
///
/// By way of the program's own handle. A search of the default scope makes its caller depend on the file it finds the
/// symbol in: this library stays in memory, and the module would, too, at a graceful restart that loads another file
/// of it, whose symbols then lead to the old one's.
pub fn symbol(name: &CStr) -> *mut c_void {
    static PROGRAM: LazyLock<usize> = LazyLock::new(|| {
        // SAFETY: the program itself, which is never closed.
        unsafe { libc::dlopen(ptr::null(), libc::RTLD_LAZY) as usize }
    });
    // SAFETY: dlsym only searches; Apache loads its modules with RTLD_GLOBAL, so the program's scope holds them.
    unsafe { libc::dlsym(*PROGRAM as *mut c_void, name.as_ptr()) }
}

/// Keeps a copy of the data for as long as the pool around that one lives, which for a configuration's is the process.
/// Data that is there under the key already stays.
///
/// # Safety
///
/// `pool` is a pool that lives.
pub unsafe fn keep(pool: *mut c_void, key: &CStr, data: &[u8]) {
    // SAFETY: the caller's promise; the data is copied.
    unsafe { mpc_server_keep(pool, key.as_ptr(), data.as_ptr().cast(), data.len()) }
}

/// The data that has been kept under the key.
///
/// # Safety
///
/// As for [`keep`]; what is returned is not used when the process ends.
pub unsafe fn kept(pool: *mut c_void, key: &CStr) -> Option<&'static [u8]> {
    let mut size = 0;
    // SAFETY: the caller's promise; so many bytes, which nothing changes.
    unsafe {
        let data = mpc_server_kept(pool, key.as_ptr(), &raw mut size);
        (!data.is_null()).then(|| std::slice::from_raw_parts(data.cast(), size))
    }
}

/// Whether the server is about to end; known of httpd 2.4 and later.
pub fn is_exiting() -> bool {
    // From http_core.h.
    const AP_SQ_MAIN_STATE: c_int = 0;
    const AP_SQ_MS_EXITING: c_int = 6;
    let query = symbol(c"ap_state_query");
    // SAFETY: the server's function of that name, which takes a number and gives one.
    !query.is_null()
        && unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_int) -> c_int>(query)(AP_SQ_MAIN_STATE) }
            == AP_SQ_MS_EXITING
}

/// The file that holds the code at `address`.
pub fn file_of(address: usize) -> Option<&'static Path> {
    // SAFETY: dladdr does not read there; it fills the structure in, or says that it has not.
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if address == 0 || libc::dladdr(address as *const c_void, &mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        Some(Path::new(OsStr::from_bytes(CStr::from_ptr(info.dli_fname).to_bytes())))
    }
}

/// A handle of a file that is loaded, with that mark too (`RTLD_NODELETE`: it stays until the process ends). NULL if it
/// is not loaded.
pub fn handle(file: &Path, mark: c_int) -> *mut c_void {
    let Ok(path) = CString::new(file.as_os_str().as_bytes()) else { return ptr::null_mut() };
    // SAFETY: a C string that outlives the call; what is not loaded is not looked for.
    unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD | mark) }
}

/// The same for the glue in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn mpc_symbol(name: *const c_char) -> *mut c_void {
    // SAFETY: the glue has a NUL-terminated name.
    symbol(unsafe { CStr::from_ptr(name) })
}
