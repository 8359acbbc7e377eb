/* apr_table_overlap as APR 0.9 has it, which httpd 2.0 and mod_python 3.1.x were built with: preloaded into httpd.
 *
 * The function allocates in the pool of the second table. Newer APRs allocate in the first one's, and hide the defect
 * of 3.1.x (MODPYTHON-75).
 */

#define _GNU_SOURCE
#include <dlfcn.h>

/* APR's, where an array's first field is its pool, and the array of a table is not really constant. */
extern void **apr_table_elts(const void *table);

void apr_table_overlap(void *table, const void *other, unsigned flags)
{
    void **array = apr_table_elts(table), *own = array[0];
    void (*newer)(void *, const void *, unsigned) =
        (void (*)(void *, const void *, unsigned))dlsym(RTLD_NEXT, "apr_table_overlap");

    array[0] = apr_table_elts(other)[0];
    newer(table, other, flags);
    array[0] = own;
}
