/* The locks of sessions. They are made in the pool of the configuration, which a graceful restart empties: that removes
 * them while the old children go on with them. */
apr_global_mutex_t *session_locks[SESSION_LOCKS];

static apr_status_t init_mutexes(server_rec *s, apr_pool_t *p)
{
    int n;

    for (n = 0; n < SESSION_LOCKS; n++) {
        char fname[255];
        apr_status_t rc;

        snprintf(fname, sizeof(fname), "/tmp/lookalike-lock-%d-%d", (int)getpid(), n);
        /* APR's own choice when 3.x was new. */
        rc = apr_global_mutex_create(&session_locks[n], fname, APR_LOCK_SYSVSEM, p);
        if (rc == APR_SUCCESS)
            rc = ap_unixd_set_global_mutex_perms(session_locks[n]);
        if (rc != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rc, s, "init_mutexes: no lock %d", n);
            if (n > 0 && session_locks[n] == NULL)
                apr_global_mutex_destroy(session_locks[n - 1]);
            return rc;
        }
    }
    return APR_SUCCESS;
}

