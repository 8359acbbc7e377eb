#ifndef HOST_PYCOMPAT_H
#define HOST_PYCOMPAT_H

/* The differences between Python 2.7 and Python 3, so that the other files need not know. */

#if PY_MAJOR_VERSION >= 3

#define PyInt_Check PyLong_Check
#define PyInt_AsLong PyLong_AsLong
#define PyInt_FromLong PyLong_FromLong

/* barelock.c says why. */
void barelock_acquire(void);
void barelock_release(void);
#define PyEval_AcquireLock barelock_acquire
#define PyEval_ReleaseLock barelock_release

/* No thread state, as 3.1.x means it. Python 3 cannot even make an object without one, so there the state stays that
 * was current before: that of barelock.c. */
#define HOST_NO_STATE(before) (before)
#define HOST_STATE_BEFORE() _PyThreadState_UncheckedGet()

#else

#define HOST_NO_STATE(before) ((void)(before), (PyThreadState *)NULL)
#define HOST_STATE_BEFORE() ((PyThreadState *)NULL)

#endif

/* str from what httpd keeps; None for NULL. */
PyObject *text_from(const char *text);

/* The bytes of a str or bytes object, borrowed from it. -1 with an exception for any other object. */
int octets_of(PyObject *object, const char **data, Py_ssize_t *length);

/* The object of `length` bytes of a body: str on Python 2, bytes on Python 3. */
PyObject *octets_from(const char *data, Py_ssize_t length);

#endif
