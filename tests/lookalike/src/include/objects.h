#ifndef HOST_OBJECTS_H
#define HOST_OBJECTS_H

/* The Python objects of httpd's structures. */

typedef struct {
    PyObject_HEAD
    apr_table_t *table;
} tableobject;

typedef struct {
    PyObject_HEAD
    PyObject *dict;
    server_rec *server;
} serverobject;

typedef struct {
    PyObject_HEAD
    conn_rec *conn;
    hlistobject *hlo;
} connobject;

typedef struct requestobject {
    PyObject_HEAD
    PyObject *dict;
    request_rec *request_rec;
    PyObject *phase;
    char *extension; /* for | .ext syntax */
    char *interpreter;
    hlistobject *hlo;
} requestobject;

typedef struct filterobject {
    PyObject_HEAD
    ap_filter_t *f;
    apr_bucket_brigade *bb_in; /* what the filter reads */
    apr_bucket_brigade *bb_out;
    apr_status_t rc;
    int is_input;
    ap_input_mode_t mode;
    apr_size_t readbytes;
    int closed;
    char *handler;
    char *dir;
    requestobject *request_obj;
} filterobject;

extern PyTypeObject MpTable_Type, MpServer_Type, MpConn_Type, MpRequest_Type, MpFilter_Type;

#define MpRequest_Check(op) (Py_TYPE(op) == &MpRequest_Type)

PyObject *MpTable_FromTable(apr_table_t *t);
PyObject *MpServer_FromServer(server_rec *s);
PyObject *MpConn_FromConn(conn_rec *c);
PyObject *MpRequest_FromRequest(request_rec *r);
PyObject *MpFilter_FromFilter(ap_filter_t *f, apr_bucket_brigade *bb, int is_input, ap_input_mode_t mode,
                              apr_size_t readbytes, char *handler, char *dir);

#endif
