static py_config *new_config(apr_pool_t *p)
{
    py_config *conf = apr_pcalloc(p, sizeof(*conf));

    conf->directives = apr_table_make(p, 4);
    conf->options = apr_table_make(p, 4);
    conf->hlists = apr_hash_make(p);
    conf->in_filters = apr_hash_make(p);
    conf->out_filters = apr_hash_make(p);
    return conf;
}

static void *python_create_dir_config(apr_pool_t *p, char *dir)
{
    py_config *conf = new_config(p);

    if (dir != NULL && *dir != '\0' && dir[strlen(dir) - 1] != '/')
        conf->config_dir = apr_pstrcat(p, dir, "/", NULL);
    else
        conf->config_dir = apr_pstrdup(p, dir);
    return conf;
}

static void *python_create_srv_config(apr_pool_t *p, server_rec *srv)
{
    return new_config(p);
}

static void lay_over(apr_hash_t *below, apr_hash_t *above, apr_pool_t *p)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(p, above); at != NULL; at = apr_hash_next(at)) {
        const void *key;
        apr_ssize_t length;
        void *value;

        apr_hash_this(at, &key, &length, &value);
        apr_hash_set(below, key, length, value);
    }
}

/* `newer` overrides `older`. apr_table_overlap allocates in the pool of its second table; up to 3.1 that is one of the
 * whole process, and this runs for each request, in all threads at once (MODPYTHON-75). */
static void *python_merge_config(apr_pool_t *p, void *older, void *newer)
{
    py_config *merged = new_config(p), *layers[] = {older, newer};
    int i;

    for (i = 0; i < 2; i++) {
        if (layers[i]->config_dir != NULL)
            merged->config_dir = apr_pstrdup(p, layers[i]->config_dir);
#if SHAPE < 30200
        apr_table_overlap(merged->directives, layers[i]->directives, APR_OVERLAP_TABLES_SET);
        apr_table_overlap(merged->options, layers[i]->options, APR_OVERLAP_TABLES_SET);
#else
        apr_table_overlap(merged->directives, apr_table_copy(p, layers[i]->directives), APR_OVERLAP_TABLES_SET);
        apr_table_overlap(merged->options, apr_table_copy(p, layers[i]->options), APR_OVERLAP_TABLES_SET);
#endif
        lay_over(merged->hlists, layers[i]->hlists, p);
        lay_over(merged->in_filters, layers[i]->in_filters, p);
        lay_over(merged->out_filters, layers[i]->out_filters, p);
    }
    return merged;
}

