#include "CRE2.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <string>
#include <vector>

struct cre2_set {
    RE2::Set set;
    bool ready = false;
};

namespace {

RE2::Options options(int64_t budget) {
    // The defaults are RE2's own syntax and UTF-8. A pattern sets other options itself: (?i), (?s), (?m).
    RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(budget);
    return options;
}

void tell(const std::string &text, char *reason, size_t capacity) {
    if (capacity > 0) reason[text.copy(reason, capacity - 1)] = 0;
}

} // namespace

cre2_set *cre2_new(int64_t budget) {
    try {
        return new cre2_set{RE2::Set(options(budget), RE2::UNANCHORED)};
    } catch (...) {
        return nullptr;
    }
}

void cre2_free(cre2_set *set) { delete set; }

int cre2_add(cre2_set *set, const char *pattern, size_t count) {
    try {
        return set->set.Add({pattern, count}, nullptr) >= 0;
    } catch (...) {
        return 0;
    }
}

int cre2_size(const char *pattern, size_t count, int64_t budget, char *reason, size_t capacity) {
    try {
        RE2 compiled({pattern, count}, options(budget));
        if (compiled.ok()) return compiled.ProgramSize();
        tell(compiled.error(), reason, capacity);
    } catch (...) {
        if (capacity > 0) reason[0] = 0;
    }
    return -1;
}

int cre2_compile(cre2_set *set) {
    try {
        set->ready = set->set.Compile();
    } catch (...) {
        set->ready = false;
    }
    return set->ready;
}

int cre2_search(const cre2_set *set, const char *text, size_t count, uint8_t *matched, size_t patterns) {
    if (!set->ready) return 0;
    try {
        std::vector<int> found;
        RE2::Set::ErrorInfo error{RE2::Set::kNoError};
        if (!set->set.Match({text, count}, &found, &error)) return error.kind == RE2::Set::kNoError;
        for (int index : found)
            if (index >= 0 && size_t(index) < patterns) matched[index] = 1;
        return 1;
    } catch (...) {
        return 0;
    }
}
