// Memory and descriptors: kinds that are not allowed, and limits of those that are.
#define _GNU_SOURCE
#include "Table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STEP = 64 << 20 };

// Maps memory step by step until the kernel refuses it, or there is more than any limit allows. None of it is written.
static int take(size_t most, int makeReadOnly) {
    for (size_t taken = 0; taken < most; taken += STEP) {
        void *part = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (part == MAP_FAILED || (makeReadOnly && mprotect(part, STEP, PROT_READ) != 0)) return errno;
    }
    return WORKS;
}

static int try_private(const struct row *row) { (void)row; return take((size_t)2304 << 20, 0); }
static int try_read_only(const struct row *row) { (void)row; return take((size_t)4352 << 20, 1); }

static int try_break(const struct row *row) {
    (void)row;
    unsigned long before = (unsigned long)syscall(SYS_brk, 0), wanted = before + ((unsigned long)2304 << 20);
    return (unsigned long)syscall(SYS_brk, wanted) == wanted ? WORKS : ENOMEM;
}

static int try_remap(const struct row *row) {
    (void)row;
    void *part = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mremap(part, 4096, (size_t)2304 << 20, MREMAP_MAYMOVE) == MAP_FAILED ? errno : WORKS;
}

// The kernel does not look at the limit of data where the limit of all that is mapped would not hold the part twice, mprotect_fixup().
static int try_writable_later(const struct row *row) {
    size_t size = (size_t)row->arguments[0] << 20;
    void *part = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (part == MAP_FAILED) return errno;
    return mprotect(part, size, PROT_READ | PROT_WRITE) != 0 ? errno : WORKS;
}

static int try_descriptors(const struct row *row) {
    for (int count = 0; count < 640; count++) {
        int pair[2];
        if ((row->arguments[0] ? pipe2(pair, 0) : eventfd(0, 0)) < 0) return errno;
    }
    return WORKS;
}

static int try_fault(const struct row *row) {
    (void)row;
    // Swift's runtime may have a handler.
    signal(SIGSEGV, SIG_DFL);
    *(volatile char *)8 = 0;
    return WORKS;
}

#define MAP(what, w, s, protection, flags, file) CALL(what, SYS_mmap, w, s, 0, 4096, protection, flags, file, 0)

const struct row memory_rows[] = {
    MAP("map memory that is writable and executable", KILLED, KILLED, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1),
    MAP("map memory that is executable and writes elsewhere", KILLED, KILLED, PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1),
    MAP("map memory that is executable", KILLED, SKIP, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1),
    CALL("make memory executable (mprotect)", SYS_mprotect, KILLED, KILLED, ZEROS, 4096, PROT_READ | PROT_EXEC),
    CALL("make memory executable (pkey_mprotect)", SYS_pkey_mprotect, KILLED, KILLED, ZEROS, 4096, PROT_EXEC, 0),
    {.attempt = "map code of a file that it was given", .number = SYS_mmap, .given = given_file, .arguments = {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, HELD, 0}, .worker = KILLED, .ssh = SKIP},
    {.attempt = "share memory by a file that it was given", .number = SYS_mmap, .given = given_file, .arguments = {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, HELD, 0}, .worker = KILLED, .ssh = SKIP},
    MAP("map memory that is shared and anonymous", KILLED, KILLED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1),
    MAP("map memory that grows down", KILLED, KILLED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1),
    CALL("rearrange a mapping (remap_file_pages)", SYS_remap_file_pages, KILLED, KILLED, ZEROS, 4096, 0, 0, 0),
    CALL("have pages merged with others' (MADV_MERGEABLE)", SYS_madvise, EACCES, EACCES, ZEROS, 4096, MADV_MERGEABLE),
    CALL("poison a page (MADV_HWPOISON)", SYS_madvise, EACCES, EACCES, ZEROS, 4096, MADV_HWPOISON),
    CALL("keep memory from being swapped (mlock)", SYS_mlock, KILLED, KILLED, ZEROS, 4096),
    CALL("keep all memory from being swapped (mlockall)", SYS_mlockall, KILLED, KILLED, 3),
    {.attempt = "take more than 2 GiB of private memory", .try = try_private, .worker = ENOMEM, .ssh = ENOMEM},
    {.attempt = "take it by the program break", .try = try_break, .worker = ENOMEM, .ssh = ENOMEM},
    {.attempt = "take it by a mapping that grows", .try = try_remap, .worker = ENOMEM, .ssh = ENOMEM},
    {.attempt = "take it by a mapping that becomes writable", .try = try_writable_later, .arguments = {2304}, .worker = WORKS, .ssh = WORKS, .note = "counted by the limit of 4 GiB"},
    {.attempt = "take more than 4 GiB by a mapping that becomes writable", .try = try_writable_later, .arguments = {4352}, .worker = ENOMEM, .ssh = ENOMEM},
    {.attempt = "take more than 4 GiB by making each part read-only", .try = try_read_only, .worker = ENOMEM, .ssh = ENOMEM},
    {.attempt = "have more than 640 descriptors: events", .try = try_descriptors, .arguments = {0}, .worker = EMFILE, .ssh = EMFILE},
    {.attempt = "have more than 640 descriptors: pipes", .try = try_descriptors, .arguments = {1}, .worker = EMFILE, .ssh = EMFILE},
    {.attempt = "leave a core file", .try = try_fault, .worker = NO_CORE, .ssh = NO_CORE},
};
const size_t memory_row_count = COUNT(memory_rows);
