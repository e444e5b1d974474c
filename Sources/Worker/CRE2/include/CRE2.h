#ifndef CRE2_H
#define CRE2_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A set of RE2 patterns that are searched for in one pass, re2/set.h. Time is linear in the text, memory is bounded by
// the budget; no C++ exception leaves these functions, and none starts a thread.
struct cre2_set;

// An empty set whose program and automaton together take at most `budget` bytes; NULL where memory is out.
struct cre2_set *cre2_new(int64_t budget);
void cre2_free(struct cre2_set *set);

// Adds a pattern; the first has index 0. 0 for what RE2 does not take.
int cre2_add(struct cre2_set *set, const char *pattern, size_t count);

// How many instructions a pattern has as a program, or -1 for what RE2 does not take or what does not fit `budget` bytes;
// `reason` then says why, cut at `capacity` and ended by NUL.
int cre2_size(const char *pattern, size_t count, int64_t budget, char *reason, size_t capacity);

// Makes the set ready; nothing can be added any more. 0 where it does not fit the budget.
int cre2_compile(struct cre2_set *set);

// Sets `matched[index]` to 1 for each pattern that occurs in the text and leaves the others. Any thread may search, also
// several at once. 0 where the text could not be searched: the budget did not suffice.
int cre2_search(const struct cre2_set *set, const char *text, size_t count, uint8_t *matched, size_t patterns);

#ifdef __cplusplus
}
#endif

#endif
