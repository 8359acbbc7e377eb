//! genobject.h.

use super::PyTypeObject;

unsafe extern "C" {
    pub static mut PyGen_Type: PyTypeObject;
}
