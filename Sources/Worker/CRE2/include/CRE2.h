#ifndef CRE2_H
#define CRE2_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A set of RE2 patterns that are searched for in one pass, re2/set.h. Time is linear in the text; the budget bounds
// memory. No function throws a C++ exception or starts a thread.
struct cre2_set;

// Returns an empty set whose program and automaton together take at most `budget` bytes; NULL if there is no memory.
struct cre2_set *cre2_new(int64_t budget);
void cre2_free(struct cre2_set *set);

// Adds a pattern; the first has index 0. Returns 0 if RE2 does not accept it, else 1.
int cre2_add(struct cre2_set *set, const char *pattern, size_t count);

// Returns how many instructions the compiled pattern has, or -1 if RE2 does not accept it or it needs more than
// `budget` bytes. `reason` then says why, cut to `capacity` bytes with a NUL at the end; it is empty if there is no
// memory.
int cre2_size(const char *pattern, size_t count, int64_t budget, char *reason, size_t capacity);

// Compiles the set, to which nothing can be added afterwards. Returns 0 if it does not fit the budget, else 1.
int cre2_compile(struct cre2_set *set);

// Sets `matched[index]` to 1 for each of the first `patterns` patterns that occurs in the text, and leaves the others.
// Any number of threads may search at once. Returns 0 if the text could not be searched, because the set is not
// compiled or the budget did not suffice, else 1.
int cre2_search(const struct cre2_set *set, const char *text, size_t count, uint8_t *matched, size_t patterns);

#ifdef __cplusplus
}
#endif

#endif
